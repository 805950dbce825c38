"""Files, folders and archives: what is in them, what is left out, and what is refused."""

import bz2
import gzip
import io
import lzma
import os
import tarfile
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from dmn_cli.data.sources import archives
from dmn_cli.errors import DataError, UsageError

FILES = {"b/train.txt": b"one\ntwo\n", "a.txt": b"three", "README": b"about\n"}
KINDS = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    **{".gz": gzip.compress, ".tgz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress},
    **{".tar": bytes, ".txt": bytes},
}


def make(path: Path, files: dict[str, bytes] = FILES) -> Path:
    """An archive of the kind that `path` is named after, its members in this order."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in files.items():
                archive.writestr(name, content)
        return path
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    path.write_bytes(COMPRESS[path.suffix](packed.getvalue()))
    return path


def read(
    path: Path, wanted: Callable[[str], bool] = lambda inner: True, max_bytes: int = 1 << 32
) -> dict[str, list[bytes]]:
    found = archives.members(path, wanted, max_bytes=max_bytes)
    return {member.inner: list(member.lines()) for member in found}


@pytest.mark.parametrize("kind", KINDS)
def test_members_come_in_the_order_of_the_archive(tmp_path: Path, kind: str) -> None:
    path = make(tmp_path / f"data{kind}")
    assert list(read(path).items()) == [
        ("b/train.txt", [b"one\n", b"two\n"]),
        ("a.txt", [b"three"]),
        ("README", [b"about\n"]),
    ]
    assert next(archives.members(path)).name == f"{path}/b/train.txt"
    assert read(path, lambda inner: inner.endswith("a.txt")) == {"a.txt": [b"three"]}


@pytest.mark.parametrize("kind", KINDS)
def test_progress_ends_at_the_size_on_disk(tmp_path: Path, kind: str) -> None:
    """Whatever is read of it, and whatever is skipped."""
    path = make(tmp_path / f"data{kind}", {f"{i}.txt": bytes(range(256)) * 400 for i in range(9)})
    for wanted in ("0.txt", "8.txt", "none"):
        told: list[int] = []
        for member in archives.members(path, wanted.__eq__, told.append):
            for _ in member.lines():
                pass
        assert sum(told) == path.stat().st_size == archives.size([path])


def test_a_folder_is_read_with_all_its_folders(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "a.txt").unlink()
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(b"three"))
    (tmp_path / ".hidden").write_bytes(b"no")
    make(tmp_path / "inner.zip")
    told: list[int] = []
    found = list(archives.members(tmp_path, lambda inner: inner != "README", told.append))
    assert [member.inner for member in found] == ["a.txt.gz", "b/train.txt"]
    assert sum(told) == archives.size([tmp_path], lambda inner: inner != "README") < archives.size([tmp_path])
    assert read(tmp_path)["a.txt.gz"] == [b"three"]


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz", ".txt"])
def test_a_file_by_itself(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"train{suffix}"
    path.write_bytes(COMPRESS[suffix](b"one\ntwo"))
    (member,) = archives.members(path, lambda inner: False)
    assert (member.inner, member.name) == (path.name, str(path))
    assert read(path) == {path.name: [b"one\n", b"two"]}


def test_an_xz_of_several_streams(tmp_path: Path) -> None:
    """With padding in between, as xz allows it, and one that is empty."""
    path = tmp_path / "a.txt.xz"
    parts = (b"one\n" * 70_000, b"", b"two\n")
    path.write_bytes((b"\0" * 70_000).join(map(lzma.compress, parts)) + b"\0" * 8)
    assert list(read(path).values()) == [[b"one\n"] * 70_000 + [b"two\n"]]
    path.write_bytes(lzma.compress(parts[0]) + b"\0\0junk")
    with pytest.raises(DataError, match="damaged or cut short"):
        read(path)


def test_a_zip_is_one_whatever_its_name(tmp_path: Path) -> None:
    path = make(tmp_path / "data.zip").rename(tmp_path / "data.download")
    assert len(read(path)) == 3
    tar = make(tmp_path / "data.tar", {"a.txt": b"x", "inner.zip": path.read_bytes()})
    assert list(read(tar)) == ["a.txt", "inner.zip"]  # though it ends as a zip does


@pytest.mark.parametrize("kind", [".zip", ".tar.gz"])
def test_names_that_lead_out_of_the_archive_are_left_out(tmp_path: Path, kind: str) -> None:
    names = ("/etc/passwd", "../up.txt", "a/../../up.txt", "./good.txt")
    path = make(tmp_path / f"data{kind}", dict.fromkeys(names, b"x"))
    assert read(path) == {"good.txt": [b"x"]}


@pytest.mark.parametrize("kind", [".zip", ".tar.gz"])
def test_what_is_hidden_or_left_by_a_system_is_left_out(tmp_path: Path, kind: str) -> None:
    names = (
        "__MACOSX/._a.txt",
        "__MACOSX/a.txt",
        "._a.txt",
        ".DS_Store",
        "in/.DS_Store",
        ".git/config",
        "in/Thumbs.db",
    )
    path = make(tmp_path / f"data{kind}", dict.fromkeys((*names, "in/a.txt"), b"x"))
    assert read(path) == {"in/a.txt": [b"x"]}
    assert archives.names(path) == ["in/a.txt"]
    for name in (*names, "in/a.txt"):
        (tmp_path / "folder" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "folder" / name).write_bytes(b"x")
    assert read(tmp_path / "folder") == {"in/a.txt": [b"x"]}


@pytest.mark.parametrize("kind", [*KINDS, "a folder"])
@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
def test_what_is_compressed_is_read_whatever_its_name(
    tmp_path: Path, kind: str, compress: Callable[[bytes], bytes]
) -> None:
    files = {"a.txt": compress(b"one\ntwo\n"), "b.txt": b"plain\n"}
    path = tmp_path / f"data{kind}"
    if kind == "a folder":
        path.mkdir()
        for name, content in files.items():
            (path / name).write_bytes(content)
    else:
        make(path, files)
    assert read(path) == {"a.txt": [b"one\n", b"two\n"], "b.txt": [b"plain\n"]}
    assert [member.packed for member in archives.members(path)] == [True, kind != "a folder"]


@pytest.mark.parametrize(("start", "command"), [(b"\x28\xb5\x2f\xfd", "zstd -d"), (b"7z\xbc\xaf\x27\x1c", "7z x")])
def test_other_compression_is_refused_with_what_to_do(tmp_path: Path, start: bytes, command: str) -> None:
    (tmp_path / "a.jsonl").write_bytes(start + b"\0abc")
    with pytest.raises(DataError, match="isn't read") as caught:
        read(tmp_path / "a.jsonl")
    assert command in str(caught.value.hint)


def test_a_pipe_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="is a pipe"):
        read(tmp_path / "pipe")


def test_links_and_devices_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    with tarfile.open(tmp_path / "data.tar", "w") as archive:
        for name, kind in (("a", tarfile.SYMTYPE), ("b", tarfile.LNKTYPE), ("c", tarfile.FIFOTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, str(tmp_path / "secret")
            archive.addfile(info)
    assert read(tmp_path / "data.tar") == {}
    with zipfile.ZipFile(tmp_path / "data.zip", "w") as archive:
        info = zipfile.ZipInfo("link")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, str(tmp_path / "secret"))
    assert read(tmp_path / "data.zip") == {}


def test_what_is_not_there_too_long_or_encrypted(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        list(archives.members(tmp_path / "none.zip"))
    long = make(tmp_path / "long.zip", {"a": b"x\n" + b"x" * (1 << 20)})
    with pytest.raises(DataError, match="longer than 1 MiB") as caught:
        read(long)
    assert caught.value.where == f"{long}/a:2"
    locked = bytearray(make(tmp_path / "locked.zip").read_bytes())
    locked[6] |= 1
    locked[locked.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "locked.zip").write_bytes(locked)
    with pytest.raises(DataError, match="is encrypted"):
        read(tmp_path / "locked.zip")
    (tmp_path / "bomb.gz").write_bytes(gzip.compress(b"x\n" * 1000))
    with pytest.raises(DataError, match="longer than 1,000 bytes"):
        read(tmp_path / "bomb.gz", max_bytes=1000)
    for kind in (".zip", ".tar.xz"):
        for content in (b"x\n" * 1000, gzip.compress(b"x\n" * 1000)):
            path = make(tmp_path / f"bomb{kind}", {"a": content})
            with pytest.raises(DataError, match="longer than 1,000 bytes") as caught:
                read(path, max_bytes=1000)
            assert caught.value.where == f"{path}/a"


@pytest.mark.parametrize("size", [-1, 1 << 33, 1 << 62])
def test_a_size_that_no_member_has(tmp_path: Path, size: int) -> None:
    """Nobody waits until tarfile has looked for the end of it."""
    info = tarfile.TarInfo("a.txt")
    info.size = size
    with (tmp_path / "data.tar").open("wb") as file:
        file.write(info.tobuf(tarfile.GNU_FORMAT) + bytes(1024))
    with pytest.raises(DataError):
        read(tmp_path / "data.tar")


def test_a_name_that_is_too_long_to_hold(tmp_path: Path) -> None:
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 1 << 30
    with (tmp_path / "data.tar").open("wb") as file:
        file.write(info.tobuf(tarfile.GNU_FORMAT) + bytes(1024))
    with pytest.raises(DataError, match="damaged"):
        read(tmp_path / "data.tar")


@pytest.mark.parametrize("kind", [*KINDS, ".gz"])
def test_a_download_that_was_cut_short(tmp_path: Path, kind: str) -> None:
    """Wherever it was cut, though what is missing be not wanted."""
    path = tmp_path / f"data{kind}"
    if kind == ".gz":
        path.write_bytes(gzip.compress(bytes(range(256)) * 4))
    else:
        make(path, {f"{i}.txt": bytes(range(256)) * 4 for i in range(4)})
    whole = path.read_bytes()
    end = 1024 * 6 if kind == ".tar" else len(whole)  # past it, a tar has only zeros
    for length in range(0, end, max(1, end // 50)):
        path.write_bytes(whole[:length])
        for wanted in (True, False):
            if kind == ".gz" and length == 0:
                continue  # gzip takes an empty file for one that holds nothing
            with pytest.raises(DataError, match="damaged or cut short") as caught:
                read(path, lambda inner, wanted=wanted: wanted)
            assert caught.value.where == str(path)
            assert caught.value.hint == "Download it again."


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("archives")


@settings(deadline=None, max_examples=30)
@given(st.data())
@pytest.mark.parametrize("kind", [*KINDS, ".gz"])
def test_any_damage_gives_what_is_there_or_a_clear_error(folder: Path, kind: str, data: st.DataObject) -> None:
    whole = make(folder / f"data{kind}").read_bytes() if kind != ".gz" else gzip.compress(b"one\ntwo\n")
    content = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.one_of(st.none(), st.integers(0, len(content))))]
    path = folder / f"damaged{kind}"
    path.write_bytes(content)
    with suppress(DataError):
        assert sum(map(len, read(path).values())) < 100


@settings(deadline=None, max_examples=30)
@given(st.binary(max_size=2000))
@pytest.mark.parametrize("kind", [*KINDS, ".gz", ".txt"])
def test_any_bytes_give_lines_or_a_clear_error(folder: Path, kind: str, content: bytes) -> None:
    path = folder / f"any{kind}"
    path.write_bytes(content)
    with suppress(DataError):
        found = read(path)
        if kind == ".txt" and not zipfile.is_zipfile(path) and content[:1] not in (b"\x1f", b"B", b"\xfd"):
            assert b"".join(found[path.name]) == content
