"""What is generated is current: make docs and make completions would change nothing. Figures in the README are those
that were measured, and its links lead somewhere."""

import importlib
import re
import runpy
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
LINK = re.compile(r"\]\(([^)\s]+)\)")
FIGURE = re.compile(r"(?<![\d.,])\d+(?:,\d{3})*(?:\.\d+)?(?![\d.,]*\d)")


RESULTS = "babi", "text", "sentiment", "picture", "memory", "seed"


@pytest.fixture
def tools(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The modules by name."""
    monkeypatch.syspath_prepend(ROOT / "tools")
    names = "lines", "summary", "systems", *(f"{of}_results" for of in RESULTS)
    return {name: importlib.import_module(name) for name in names}


def test_the_command_reference_is_current() -> None:
    reference = runpy.run_path(str(ROOT / "tools" / "cli_reference.py"))["reference"]
    assert (ROOT / "docs" / "cli.md").read_text(encoding="utf-8") == reference()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_scripts_are_current(shell: str) -> None:
    tool = runpy.run_path(str(ROOT / "tools" / "completions.py"))
    assert (ROOT / "completions" / tool["FILES"][shell]).read_text(encoding="utf-8") == tool["script"](shell)


@pytest.mark.skipif(not shutil.which("bash"), reason="there is no bash")
def test_bash_reads_its_completion_script() -> None:
    subprocess.run(["bash", "-n", ROOT / "completions" / "dmn.bash"], check=True)


@pytest.mark.parametrize(
    ("page", "tool", "lines"),
    [
        ("babi", "babi_results", "babi"),
        ("text", "text_results", "text"),
        ("sentiment", "sentiment_results", "systems"),
        ("pictures", "picture_results", "systems"),
    ],
)
def test_tables_are_those_of_their_lines(tools: Any, page: str, tool: str, lines: str) -> None:
    """If not: make results-babi ROWS='--minutes 0', or results-text, or the tool itself with --minutes 0."""
    kept = tools["lines"].read(ROOT / "docs" / f"{lines}.jsonl")
    assert (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8") == tools[tool].page(kept)


def test_tables_beside_those_of_babi_are_of_what_was_measured(tools: Any) -> None:
    """If not: the tool itself with --minutes 0."""
    babi, systems = (tools["lines"].read(ROOT / "docs" / f"{lines}.jsonl") for lines in ("babi", "systems"))
    pages = {"memory": tools["memory_results"].page(systems, babi), "seeds": tools["seed_results"].page(babi)}
    for page, text in pages.items():
        assert (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8") == text


@pytest.mark.parametrize(
    ("page", "tool"), [("README.md", "summary"), ("docs/results.md", "summary"), ("docs/results.md", "systems")]
)
def test_tables_of_several_are_of_what_was_measured(tools: Any, page: str, tool: str) -> None:
    """If not: make docs."""
    text = (ROOT / page).read_text(encoding="utf-8")
    assert tools[tool].written(text) == text
    assert tools[tool].BEGIN in text


def test_other_figures_of_the_readme_are_in_the_results(tools: Any) -> None:
    """All that its prose says with a point or thousands."""
    summary = tools["summary"]
    readme = (ROOT / "README.md").read_text(encoding="utf-8").replace(summary.summary(), "")
    prose = re.sub(r"(?s)```.*?```|`[^`\n]*`|\(http[^)]*\)|(Python |CC BY |Apache-)[\d.]+", "", readme)
    said = {figure for figure in FIGURE.findall(prose) if "." in figure or "," in figure}
    measured = {
        figure
        for page in ("results", "babi", "text")
        for figure in FIGURE.findall((ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8"))
    }
    assert said
    assert said <= measured


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_pictures_are_there(page: Path) -> None:
    for link in LINK.findall(re.sub(r"(?s)```.*?```", "", page.read_text(encoding="utf-8"))):
        if link.startswith("http"):
            continue
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def anchors(page: Path) -> set[str]:
    """Of its headings, as GitHub makes them."""
    headings = re.findall(r"(?m)^#+ (.*)$", page.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
