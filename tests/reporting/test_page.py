"""The page in a real browser: it renders, filters work, nothing is fetched, and a story is text, whatever is in it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import browser, needs_a_browser
from conftest import Dmn
from selenium.webdriver import Chrome, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import Select

pytestmark = needs_a_browser

EVIL = "</script><script>document.title='owned'</script><img src=x onerror=document.title='owned'>"


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    with browser(tmp_path_factory.mktemp("browser") / "profile") as driver:
        yield driver


@pytest.fixture(scope="module")
def mixed(dmn: Dmn, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page about a model that has learnt little, so that all kinds of answers are on it."""
    folder = tmp_path_factory.mktemp("mixed")
    data, run, page = folder / "data", folder / "run", folder / "page.html"
    assert dmn("prepare", "story", "--tasks", "1,2", "--questions", 300, "--out", data).code == 0
    sets = ("--set", "model.hidden=16", "--set", "training.batch_size=32", "--set", "training.learning_rate=0.01")
    assert dmn("train", data, "--out", run, "--epochs", 2, "--device", "cpu", *sets).code == 0
    result = dmn("report", run, "--out", page, "--split", "valid")
    assert result.code == 0, result.err
    return page


@pytest.fixture
def page(driver: Chrome, mixed: Path) -> Chrome:
    driver.get(mixed.as_uri())
    return driver


def one(page: Chrome, selector: str) -> WebElement:
    return page.find_element(By.CSS_SELECTOR, selector)


def listed(page: Chrome) -> list[str]:
    """The questions that are listed, each with its outcome for a screen reader."""
    buttons = page.find_elements(By.CSS_SELECTOR, "#list .asked")
    return [str(button.get_property("textContent")) for button in buttons]


def show(page: Chrome, outcome: str) -> None:
    page.execute_script("arguments[0].click()", one(page, f"[name=outcome][value='{outcome}']"))


def questions(page: Chrome) -> list[dict[str, object]]:
    return json.loads(str(one(page, "#questions-data").get_property("textContent")))["questions"]


def test_it_renders_without_an_error_and_fetches_nothing(driver: Chrome, mixed: Path) -> None:
    driver.get("about:blank")
    for log in ("browser", "performance"):
        driver.get_log(log)  # what was before
    driver.get(mixed.as_uri())
    assert driver.get_log("browser") == []
    events = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    asked = [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]
    assert asked == [mixed.as_uri()]
    titles = [heading.text for heading in driver.find_elements(By.TAG_NAME, "h2")]
    assert titles == [link.text for link in driver.find_elements(By.CSS_SELECTOR, "nav a")]
    assert {"Tasks", "Confidence", "Confusions", "Worst mistakes", "Questions", "Training", "Settings"} <= set(titles)
    assert len(driver.find_elements(By.CSS_SELECTOR, "svg[role=img][aria-label]")) == 5


def test_filters_leave_what_they_say(page: Chrome) -> None:
    every = questions(page)
    assert one(page, "#count").text == f"{len(every)} of {len(every)} questions"
    meanings = {"0": "wrong: ", "1": "right for the wrong reason: ", "2": "right: "}
    for outcome, meaning in meanings.items():
        show(page, outcome)
        wanted = [f"{meaning}{q['question']}" for q in every if q["outcome"] == int(outcome)]
        assert listed(page) == wanted[:100]
        assert one(page, "#count").text == f"{len(wanted)} of {len(every)} questions"
    show(page, "")
    Select(one(page, "#task")).select_by_value("qa2")
    assert one(page, "#count").text.startswith(f"{sum(q['task'] == 'qa2' for q in every)} of")
    one(page, "#search").send_keys("no such word")
    assert (listed(page), one(page, "#story").text) == ([], "No question is like that.")


def test_a_story_is_clicked_through_pass_by_pass(page: Chrome) -> None:
    first = questions(page)[0]
    assert one(page, "#story h3").text == first["question"]
    assert len(page.find_elements(By.CSS_SELECTOR, "#story tbody tr")) == first["n"]
    for t in (1, 2, 3):
        one(page, "#story [name=pass]:checked").send_keys(Keys.ARROW_RIGHT)
        assert [cell.text for cell in page.find_elements(By.CSS_SELECTOR, "#story thead th")] == ["fact", f"pass {t}"]
        cells = [cell.text for cell in page.find_elements(By.CSS_SELECTOR, "#story td")]
        opened = first["gates"][t - 1]  # type: ignore[index]
        shown = {opened[i]: f"{opened[i + 1] / 100:.2f}" for i in range(0, len(opened), 2)}
        assert {i: text for i, text in enumerate(cells) if text} == shown
    stars = page.find_elements(By.CSS_SELECTOR, "#story tbody .star")
    assert len(stars) == len(first["support"])  # type: ignore[arg-type]


def test_the_keyboard_is_enough(page: Chrome) -> None:
    one(page, "#list button").send_keys(Keys.ARROW_DOWN)
    current = page.find_elements(By.CSS_SELECTOR, "#list [aria-current]")
    assert [button.get_dom_attribute("data-number") for button in current] == ["1"]
    assert page.switch_to.active_element == current[0]
    assert one(page, "#story h3").text == questions(page)[1]["question"]


def test_what_can_be_used_has_a_name(page: Chrome) -> None:
    used = page.find_elements(
        By.CSS_SELECTOR, "a, button:not([hidden]), input, select, summary, [role], [tabindex='0']"
    )
    nameless = [element.tag_name for element in used if element.is_displayed() and not element.accessible_name]
    assert nameless == ["p"]  # the number of questions, which says itself
    assert [heading.tag_name for heading in page.find_elements(By.CSS_SELECTOR, "h1")] == ["h1"]
    assert one(page, "html").get_dom_attribute("lang") == "en"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_it_fits_the_screen_and_can_be_read(page: Chrome, scheme: str, width: int) -> None:
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    metrics = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    assert page.execute_script("return document.documentElement.scrollWidth") <= width
    colors = page.execute_script(
        "const probe = document.createElement('td'); document.body.append(probe);"
        "const canvas = new OffscreenCanvas(1, 1).getContext('2d', {willReadFrequently: true});"
        "const pixel = (color) => { canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1);"
        " return [...canvas.getImageData(0, 0, 1, 1).data.slice(0, 3)]; };"
        "return [...Array(21).keys()].map((n) => { probe.className = `g g${n}`; const s = getComputedStyle(probe);"
        " return [pixel(s.color), pixel(s.backgroundColor)]; });"
    )
    assert all(contrast(letters, ground) >= 4.5 for letters, ground in colors)


def contrast(one: list[int], other: list[int]) -> float:
    """As WCAG 2 has it."""

    def luminance(color: list[int]) -> float:
        shares = [channel / 255 for channel in color]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in shares]
        return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    dark, light = sorted([luminance(one), luminance(other)])
    return (light + 0.05) / (dark + 0.05)


def test_it_can_be_printed(page: Chrome) -> None:
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    hidden = [one(page, selector) for selector in ("nav", "#filters", ".listed")]
    assert not any(element.is_displayed() for element in hidden)
    assert one(page, "#mistakes .card").is_displayed()
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def test_a_story_with_a_script_in_it_is_text(driver: Chrome, dmn: Dmn, tmp_path: Path) -> None:
    lines = [
        {"story": [f"{EVIL} says {word}."], "question": f"{EVIL}?", "answer": f"{word}<b>", "split": split}
        for split in ("train", "valid", "test")
        for word in ("yes", "no") * 4
    ]
    (tmp_path / "evil.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    data, run, page = tmp_path / "d", tmp_path / "r", tmp_path / "page.html"
    assert dmn("prepare", "jsonl", tmp_path / "evil.jsonl", "--out", data, "--task", "<i>evil</i>").code == 0
    assert dmn("train", data, "--out", run, "--epochs", 1, "--set", "model.hidden=8", "--device", "cpu").code == 0
    assert dmn("report", run, "--out", page).code == 0
    driver.get(page.as_uri())
    assert driver.title == "r: report"
    assert driver.get_log("browser") == []
    assert one(driver, "#story h3").text == f"{EVIL}?"
    assert EVIL in one(driver, "#story tbody").text
    assert driver.find_elements(By.CSS_SELECTOR, "img, b, i, section script") == []
