"""What is fetched over HTTP: whole, in pieces, never mixed, checked each time. The network is a server on loopback."""

import hashlib
import json
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from conftest import Dmn, fails

from dmn_cli.data.sources import fetch as fetching
from dmn_cli.data.sources.download import USUAL, Patience
from dmn_cli.data.sources.fetch import Local
from dmn_cli.data.sources.known import KNOWN, Published
from dmn_cli.errors import DataError, ResourceError, UsageError

CONTENT = bytes(range(256)) * 1000
QUICK = ("--tokenizer", "whitespace")  # without spaCy
HALF = len(CONTENT) // 2
fetch = partial(fetching.fetch, patience=Patience(pause=0.001))


@dataclass
class Site:
    """What the server has, how it behaves, and what it was asked."""

    url: str = ""
    content: bytes = CONTENT
    headers: dict[str, str] = field(default_factory=lambda: {"ETag": '"one"'})
    ranges: bool = True
    sized: bool = True  # says how long the content is
    cuts: list[int] = field(default_factory=list)  # after so many bytes, the connection of each request in turn
    statuses: list[int] = field(default_factory=list)  # of each request in turn, where it isn't 200
    asked: list[dict[str, str]] = field(default_factory=list)  # the headers of each request

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Site]:
    site = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.asked.append(dict(self.headers))
            status, content, start = site.statuses.pop(0) if site.statuses else 200, site.content, 0
            if status == 200:
                wanted = self.headers.get("Range")
                same = self.headers.get("If-Range") in (None, *site.headers.values())
                if wanted and same and site.ranges:
                    start, status = int(wanted.removeprefix("bytes=").removesuffix("-")), 206
                    status = 416 if start >= len(content) else 206
            self.send_response(status)
            for name, value in site.headers.items():
                self.send_header(name, value)
            if status == 206:
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            if site.sized:
                self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            end = site.cuts.pop(0) if site.cuts else len(content)
            with suppress(ConnectionError):
                self.wfile.write(content[start:end])

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    site.url = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv("DMN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield site
    server.shutdown()
    thread.join()
    server.server_close()


def cached(tmp_path: Path) -> list[str]:
    """The names of all that the cache holds, but for locks."""
    return sorted(file.name for file in (tmp_path / "cache").rglob("*") if file.is_file() and file.suffix != ".lock")


def ranges(site: Site) -> list[str | None]:
    """What each request asked for."""
    return [asked.get("Range") for asked in site.asked]


def test_a_download_is_kept_and_not_made_again(site: Site, tmp_path: Path) -> None:
    notes: list[str] = []
    file = fetch(f"{site.url}/some/folder/a%20test.jsonl?raw=true", note=notes.append).path
    assert file.read_bytes() == CONTENT
    assert file.name == "a_test.jsonl"
    assert json.loads(file.with_name("a_test.jsonl.json").read_text())["sha256"] == site.sha256
    assert notes == [f"fetching {site.url}/some/folder/a%20test.jsonl?raw=true, 256 kB"]
    assert fetch(f"{site.url}/some/folder/a%20test.jsonl?raw=true", note=notes.append).path == file
    assert len(notes) == len(site.asked) == 1
    assert cached(tmp_path) == ["a_test.jsonl", "a_test.jsonl.json"]


def test_files_of_one_name_are_kept_apart(site: Site) -> None:
    one = fetch(f"{site.url}/one/data.txt").path
    site.content = b"other"
    assert fetch(f"{site.url}/two/data.txt").path.read_bytes() == b"other"
    assert one.read_bytes() == CONTENT


@pytest.mark.parametrize("headers", [{"ETag": '"one"'}, {"Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT"}])
def test_a_cut_connection_is_gone_on_with(site: Site, headers: dict[str, str]) -> None:
    site.headers, site.cuts = headers, [HALF, HALF + 10]
    notes: list[str] = []
    counted: list[int | None] = []

    @contextmanager
    def progress(total: int | None) -> Iterator[object]:
        counted.append(total)
        yield counted.append

    assert fetch(f"{site.url}/a", note=notes.append, progress=progress).path.read_bytes() == CONTENT  # type: ignore[arg-type]
    assert ranges(site) == [None, f"bytes={HALF}-", f"bytes={HALF + 10}-"]
    assert [asked.get("If-Range") for asked in site.asked] == [None, *headers.values(), *headers.values()]
    assert len([note for note in notes if note.startswith("fetching")]) == 1
    last = counted[len(counted) - counted[::-1].index(len(CONTENT)) - 1 :]
    assert last[:2] == [len(CONTENT), HALF + 10]
    assert sum(n or 0 for n in last[1:]) == len(CONTENT)


def test_tries_that_bring_something_new_are_not_counted(site: Site) -> None:
    site.cuts = [1000 * n for n in range(1, 20)]
    assert fetch(f"{site.url}/a").path.read_bytes() == CONTENT
    assert len(site.asked) == 20


def test_a_server_without_ranges_is_asked_for_all_of_it(site: Site) -> None:
    site.ranges, site.cuts = False, [HALF]
    assert fetch(f"{site.url}/a").path.read_bytes() == CONTENT
    assert ranges(site) == [None, f"bytes={HALF}-"]


@pytest.mark.parametrize("headers", [{"ETag": '"two"'}, {"Last-Modified": "Tue, 02 Jan 2024 00:00:00 GMT"}, {}])
@pytest.mark.parametrize("length", [len(CONTENT), len(CONTENT) + 1, HALF - 1, HALF])
def test_two_versions_are_never_mixed(site: Site, headers: dict[str, str], length: int) -> None:
    """A part stays behind; then the file at the server is another."""
    site.cuts, site.headers = [HALF] * 9, dict.fromkeys(headers, "the first")
    with pytest.raises(DataError, match="cut"):
        fetch(f"{site.url}/a", patience=Patience(tries=1))
    site.cuts, site.headers, site.content = [], headers, b"x" * length
    assert fetch(f"{site.url}/a").path.read_bytes() == site.content


def test_a_server_that_does_not_know_conditions_gets_no_version_mixed(site: Site, tmp_path: Path) -> None:
    """It sends the rest of another version, though asked for the old one's; what it says of it is not the same."""
    site.cuts = [HALF]

    class Sly(dict[str, str]):
        def values(self) -> list[str]:  # type: ignore[override]
            return ['"one"', '"two"']

    notes: list[str] = []

    def note(text: str) -> None:
        notes.append(text)
        if "again" in text:
            site.content, site.headers = b"y" * len(CONTENT), Sly(ETag='"two"')

    assert fetch(f"{site.url}/a", note=note).path.read_bytes() == b"y" * len(CONTENT)
    assert ranges(site) == [None, f"bytes={HALF}-", None]


def test_a_part_with_no_mark_is_gone_on_with_only_if_the_checksum_is_known(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.headers, site.cuts = {}, [HALF]
    assert fetch(f"{site.url}/a").path.read_bytes() == CONTENT
    assert ranges(site) == [None, None]
    site.cuts = [HALF]
    monkeypatch.setitem(KNOWN, "babi", Published(f"{site.url}/b", site.sha256))
    assert fetch("babi").path.read_bytes() == CONTENT
    assert ranges(site)[2:] == [None, f"bytes={HALF}-"]


def test_an_unknown_length_is_read_to_its_end(site: Site) -> None:
    site.sized = False
    notes: list[str] = []
    assert fetch(f"{site.url}/a", note=notes.append).path.read_bytes() == CONTENT
    assert "of unknown size" in notes[0]


def test_what_is_compressed_stays_as_it_is(site: Site) -> None:
    """Some servers call a .gz a text that was compressed on its way."""
    site.headers["Content-Encoding"] = "gzip"
    assert fetch(f"{site.url}/a.gz").path.read_bytes() == CONTENT


def test_a_passing_error_is_tried_again(site: Site) -> None:
    site.statuses = [500, 503, 429]
    assert fetch(f"{site.url}/a").path.read_bytes() == CONTENT


@pytest.mark.parametrize(("status", "requests"), [(404, 1), (403, 1), (416, 1), (206, 1), (500, USUAL.tries)])
def test_a_refusal_is_an_error(site: Site, tmp_path: Path, status: int, requests: int) -> None:
    site.statuses = [status] * 9
    with pytest.raises(DataError, match=str(status)) as caught:
        fetch(f"{site.url.replace('//', '//me:secret@')}/a")
    assert caught.value.where == f"{site.url}/a"
    assert len(site.asked) == requests
    assert cached(tmp_path) == []


def test_no_server_is_an_error(site: Site, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="refused") as caught:
        fetch("http://127.0.0.1:1/a")
    assert "network" in (caught.value.hint or "")
    assert cached(tmp_path) == []


@pytest.mark.parametrize("url", ["http://", "http://[::1", "https:///a", "http://a:port/", "ftp://a/b", "s3://a/b"])
def test_what_is_no_url_for_us(site: Site, url: str) -> None:
    with pytest.raises(UsageError):
        fetch(url)


@pytest.mark.parametrize("name", ["..", "%2E%2E", "a%2F..%2F..", "", "%00", ".part", "x" * 5000, "a\\..\\b", "é"])
def test_any_name_stays_in_its_folder(site: Site, tmp_path: Path, name: str) -> None:
    file = fetch(f"{site.url}/{name}").path
    assert file.read_bytes() == CONTENT
    assert file.resolve().parent.parent == (tmp_path / "cache").resolve()


def test_a_wrong_checksum_is_an_error_and_nothing_stays(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(KNOWN, "sst", Published(f"{site.url}/trees.zip", "0" * 64))
    with pytest.raises(DataError) as caught:
        fetch("sst")
    assert site.sha256 in caught.value.message
    assert "0" * 64 in caught.value.message
    assert cached(tmp_path) == []
    with pytest.raises(DataError):
        fetch(f"{site.url}/trees.zip")  # the same file, by its URL


@pytest.mark.parametrize("known", [True, False])
def test_a_copy_that_has_changed_is_noticed(site: Site, monkeypatch: pytest.MonkeyPatch, known: bool) -> None:
    monkeypatch.setitem(KNOWN, "sst", Published(f"{site.url}/trees.zip", site.sha256 if known else None))
    file = fetch("sst").path
    file.write_bytes(b"other")
    with pytest.raises(DataError) as caught:
        fetch("sst")
    assert caught.value.where == str(file)
    assert site.sha256 in caught.value.message
    assert hashlib.sha256(b"other").hexdigest() in caught.value.message
    file.unlink()
    assert fetch("sst").path.read_bytes() == CONTENT


def test_known_names_say_what_is_meant_of_an_archive(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("glove:6B.50d", "glove:6B.300d"):
        monkeypatch.setitem(KNOWN, name, KNOWN[name]._replace(url=f"{site.url}/glove.6B.zip", sha256=site.sha256))
    small, large = fetch("glove:6B.50d"), fetch("glove:6B.300d")
    assert small.path == large.path
    assert (small.member, large.member) == ("glove.6B.50d.txt", "glove.6B.300d.txt")
    assert len(site.asked) == 1
    with pytest.raises(UsageError, match=r"glove:6B\.301d") as caught:
        fetch("glove:6B.301d")
    assert "glove:6B.300d" in (caught.value.hint or "")


def test_the_table_is_sound() -> None:
    assert {"babi", "sst", "ewt", "imdb", "trec:train", "trec:test", "glove:840B.300d", "glove:42B.300d"} <= set(KNOWN)
    assert {f"glove:twitter.27B.{n}d" for n in (25, 50, 100, 200)} <= set(KNOWN)
    for source in KNOWN.values():
        assert source.url.startswith("https://") or source.sha256  # over http, only what can be checked
        assert source.sha256 is None or len(bytes.fromhex(source.sha256)) == 32


def test_what_is_here_wins(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KNOWN, "babi", Published(f"{site.url}/babi.tar.gz"))
    monkeypatch.chdir(tmp_path)
    assert fetch("sst", names=["babi"]) == Local(Path("sst"))  # not for who can't read it
    (tmp_path / "babi").mkdir()
    assert fetch("babi") == Local(Path("babi"))
    assert fetch(tmp_path / "none") == Local(tmp_path / "none")
    assert not site.asked


def test_ctrl_c_keeps_the_part(site: Site, tmp_path: Path) -> None:
    @contextmanager
    def progress(total: int | None) -> Iterator[object]:
        def advance(n: int) -> None:
            if n:
                raise KeyboardInterrupt

        yield advance

    with pytest.raises(KeyboardInterrupt):
        fetch(f"{site.url}/a.txt", progress=progress)  # type: ignore[arg-type]
    assert cached(tmp_path) == ["a.txt.part", "a.txt.part.json"]
    assert fetch(f"{site.url}/a.txt").path.read_bytes() == CONTENT
    assert ranges(site)[0] is None
    assert str(ranges(site)[1]).startswith("bytes=")


def test_a_full_disk_is_an_error(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(number: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(ResourceError) as caught:
        fetch(f"{site.url}/a.txt")
    assert "DMN_CACHE" in (caught.value.hint or "")
    assert "a.txt" not in cached(tmp_path)


def test_two_at_once_fetch_it_once(site: Site) -> None:
    threads = [threading.Thread(target=fetch, args=(f"{site.url}/a",)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert fetch(f"{site.url}/a").path.read_bytes() == CONTENT
    assert len(site.asked) == 1


@pytest.fixture
def trees(tmp_path: Path) -> bytes:
    path = tmp_path / "made.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for split in ("train", "dev", "test"):
            archive.writestr(f"trees/{split}.txt", "(3 (2 A) (4 film))\n(0 bad)\n")
    return path.read_bytes()


@pytest.mark.parametrize("terminal", [False, True])
def test_prepare_from_a_url(site: Site, tmp_path: Path, trees: bytes, dmn: Dmn, terminal: bool) -> None:
    site.content = trees
    url = f"{site.url}/trees.zip"
    given = url.replace("//", "//me:secret@")
    result = dmn("prepare", "sst", given, "--out", tmp_path / "out", *QUICK, terminal=terminal)
    assert result.code == 0, result.err
    assert f"fetching {url}, " in result.err
    assert ("fetching 0%" in result.err) <= terminal
    assert "Traceback" not in result.err
    assert json.loads((tmp_path / "out" / "dataset.json").read_text())["source"]["path"] == url
    site.statuses = [404]
    fails(dmn("prepare", "sst", f"{site.url}/none.zip", "--out", tmp_path / "none"), 3, "404", "none.zip")


def test_prepare_a_known_name(
    site: Site, tmp_path: Path, trees: bytes, dmn: Dmn, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.content = trees
    monkeypatch.setitem(KNOWN, "sst", Published(f"{site.url}/trees.zip"))
    monkeypatch.chdir(tmp_path)
    assert dmn("prepare", "sst", "sst", "--out", "out", *QUICK).code == 0
    assert json.loads((tmp_path / "out" / "dataset.json").read_text())["source"]["path"] == "sst"
    fails(dmn("prepare", "babi", "sst", "--out", "none"), 2, "sst")
    assert dmn("prepare", "sst", "sst", "--out", "quiet", "--quiet", *QUICK).err == ""


def test_prepare_json_lines_from_a_url(site: Site, tmp_path: Path, dmn: Dmn) -> None:
    """The file keeps its name, which says of what split it is."""
    site.content = b'{"story": ["Mary is in."], "question": "Who?", "answer": "Mary"}\n'
    result = dmn("prepare", "jsonl", f"{site.url}/my.test.jsonl", "--out", tmp_path / "out", "--json", *QUICK)
    assert result.document["splits"]["test"]["questions"] == 1
