"""Pictures of all kinds → arrays and stories; and what isn't one → one clear error, with the line that names it."""

import io
import json
import os
import struct
import tarfile
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Dmn, fails
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from PIL import Image
from safetensors.numpy import save_file
from safetensors.torch import save_file as torch_save_file

from dmn_cli.data.formats.images import features, lines, pixels, sort_of_clevr
from dmn_cli.data.formats.images.asked import pictured
from dmn_cli.data.store.reader import DataSet
from dmn_cli.errors import DataError, DmnError
from dmn_cli.records.regions import PictureForm

LINE: dict[str, object] = {"image": "1.png", "question": "What is it?", "answer": "red"}


def png(width: int, height: int) -> bytes:
    """The header of a PNG of this size, which claims more than there is."""
    chunks = (b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0), b"IDAT" + zlib.compress(b"\0" * 100))
    body = b"".join(struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in (*chunks, b"IEND"))
    return b"\x89PNG\r\n\x1a\n" + body


def save(path: Path, colour: object = "red", mode: str = "RGB", size: tuple[int, int] = (20, 10)) -> Path:
    Image.new(mode, size, colour).save(path)  # type: ignore[arg-type]
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Ten lines about three pictures."""
    path = tmp_path / "photos"
    path.mkdir()
    for name, colour in (("1.png", "red"), ("2.png", "blue"), ("3.jpg", "red")):
        save(path / name, colour)
    of = ["1.png"] * 4 + ["2.png"] * 3 + ["3.jpg"] * 3
    write(path, [LINE | {"image": name, "question": f"What is it, {i}?"} for i, name in enumerate(of)])
    return path


def write(folder: Path, records: list[dict[str, object]], name: str = "q.jsonl") -> None:
    (folder / name).write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")


@pytest.mark.parametrize(
    ("mode", "colour", "seen"),
    [
        ("RGB", (10, 20, 30), (10, 20, 30)),
        ("L", 40, (40, 40, 40)),
        ("1", 1, (255, 255, 255)),
        ("RGBA", (0, 0, 0, 0), (255, 255, 255)),
        ("LA", (0, 0), (255, 255, 255)),
        ("RGBA", (10, 20, 30, 255), (10, 20, 30)),
        ("I;16", 257 * 40, (40, 40, 40)),
        ("P", 0, (0, 0, 0)),
    ],
)
def test_grey_and_alpha_become_colours(mode: str, colour: object, seen: tuple[int, ...], tmp_path: Path) -> None:
    array = pixels.decode(save(tmp_path / "p.png", colour, mode), 8)
    assert array.shape == (8, 8, 3)
    assert (array == seen).all()


def test_a_picture_is_turned_as_its_camera_says(tmp_path: Path) -> None:
    image = Image.new("RGB", (20, 10), "white")
    image.paste("black", (0, 0, 10, 10))
    exif = Image.Exif()
    exif[274] = 6  # to be turned by 90 degrees, clockwise
    image.save(tmp_path / "p.png", exif=exif)
    turned = pixels.decode(tmp_path / "p.png", 8)
    assert turned[:3].max() == 0
    assert turned[5:].min() == 255


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"hello", "is no picture"),
        (b"", "is no picture"),
        (png(30_000, 30_000), "has too many pixels"),
        (png(9_000, 9_000), "has too many pixels: 9,000 × 9,000 pixels"),
        (png(400, 400), "is a damaged picture"),
    ],
    ids=["text", "empty", "bomb", "large", "cut short"],
)
def test_what_is_no_picture_is_refused_with_its_line(
    dmn: Dmn, folder: Path, tmp_path: Path, content: bytes, said: str
) -> None:
    (folder / "bad.png").write_bytes(content)
    write(folder, [LINE] * 6 + [LINE | {"image": "bad.png"}])
    result = dmn("prepare", "image", folder, "--side", 16, "--out", tmp_path / "data")
    fails(result, 3, "q.jsonl:7", f"bad.png {said}")
    assert not (tmp_path / "data").exists()


def test_a_bomb_is_refused_before_it_expands(little_memory: None, tmp_path: Path) -> None:
    (tmp_path / "bomb.png").write_bytes(png(100_000, 100_000))
    with pytest.raises(DataError, match="too many pixels"):
        pixels.decode(tmp_path / "bomb.png", 16)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"image": "none.png"}, "there is no picture none.png"),
        ({"image": 5}, '"image" is not a text'),
        ({"question": ""}, '"question" is not a text'),
        ({"answer": {}}, '"answer" is not a text'),
        ({"split": "other"}, '"split" is not train'),
        ({"support": [[2, 0]]}, '"support" is not a list of points'),
        ({"support": "red"}, '"support" is not a list of points'),
    ],
)
def test_a_wrong_line_is_named(dmn: Dmn, folder: Path, tmp_path: Path, change: dict[str, object], said: str) -> None:
    write(folder, [LINE] * 6 + [LINE | change])
    fails(dmn("prepare", "image", folder, "--out", tmp_path / "data"), 3, "q.jsonl:7", said)


def test_each_picture_of_a_folder_is_stored_once(dmn: Dmn, folder: Path, tmp_path: Path) -> None:
    """Held out is a picture with all of its questions."""
    out = tmp_path / "data"
    made = dmn("prepare", "image", folder, "--side", 16, "--grid", 2, "--out", out)
    assert made.code == 0, made.err
    data = DataSet(out)
    assert data.pictures is not None
    assert data.pictures.array.shape == (3, 16, 16, 3)
    assert sum(map(len, data.pictures.of.values())) == 3
    assert len(data.pictures.of["valid"]) == 1
    assert sum(data.summary["splits"][split]["questions"] for split in ("train", "valid")) == 10
    for split in ("train", "valid"):
        opened = data.split(split)
        for story, number in enumerate(data.pictures.of[split]):
            asked = data.examples(opened, np.arange(*opened.question_offset[story : story + 2]))
            told = {int(one.question.split(",")[1].rstrip("?")) for one in asked}
            assert told == [{0, 1, 2, 3}, {4, 5, 6}, {7, 8, 9}][number]
            assert asked[0].facts == PictureForm(2, 2, 16).names


def test_points_say_which_regions_support(dmn: Dmn, folder: Path, tmp_path: Path) -> None:
    supported = LINE | {"support": [[0.9, 0.1], [0.1, 0.9], [0.2, 0.8]], "split": "test"}
    write(folder, [LINE | {"image": "2.png"}, LINE | {"image": "3.jpg"}, supported])
    assert dmn("prepare", "image", folder, "--side", 16, "--grid", 2, "--out", tmp_path / "data").code == 0
    data = DataSet(tmp_path / "data")
    assert data.example(data.split("test"), 0).support == [1, 3]


@pytest.mark.parametrize("suffix", [".npy", ".safetensors"])
def test_features_are_read_in_reading_order(dmn: Dmn, tmp_path: Path, suffix: str) -> None:
    folder, out = tmp_path / "features", tmp_path / "data"
    folder.mkdir()
    random = np.random.default_rng(0)
    arrays = [random.normal(size=(2, 3, 4)).astype(np.float32) for _ in range(3)]
    for i, array in enumerate(arrays):
        path = folder / f"{i}{suffix}"
        np.save(path, array) if suffix == ".npy" else save_file({"x": array}, path)
    splits = ("train", "valid", "test")
    records: list[dict[str, object]] = [
        LINE | {"image": f"{i}{suffix}", "split": split} for i, split in enumerate(splits)
    ]
    write(folder, records)
    assert dmn("prepare", "image", folder, "--out", out).code == 0
    data = DataSet(out)
    assert data.picture_form == PictureForm(2, 3, width=4)
    assert data.pictures is not None
    assert np.array_equal(data.pictures.array[0][3:], arrays[0][1, ::-1])
    run = tmp_path / "run"
    tiny = ["--preset=dmn-image", "--set=model.hidden=8", "--epochs=1", "--device=cpu"]
    trained = dmn("train", out, "--out", run, *tiny)
    assert trained.code == 0, trained.err
    asked = dmn("ask", run, "--image", folder / f"0{suffix}", "--question", "What is it?", "--json").document
    assert [len(gates) for gates in asked["gates"]] == [6, 6]
    np.save(folder / "odd.npy", arrays[0][:, :2])
    fails(dmn("ask", run, "--image", folder / "odd.npy", "--question", "What is it?"), 3, "odd.npy", "2 × 2 × 4")
    write(folder, [*records, LINE | {"image": "odd.npy"}])
    fails(dmn("prepare", "image", folder, "--out", tmp_path / "other"), 3, "q.jsonl:4", "2 × 2 × 4")


def test_features_that_cannot_be_read(dmn: Dmn, folder: Path, tmp_path: Path) -> None:
    good = np.ones((2, 2, 5), np.float32)
    np.save(folder / "good.npy", good)
    np.save(folder / "large.npy", np.full((2, 2, 5), 1e300))
    with (folder / "several.npy").open("wb") as file:
        np.savez(file, good)
    os.mkfifo(folder / "pipe.npy")
    torch_save_file({"x": torch.ones(2, 2, 5, dtype=torch.bfloat16)}, folder / "half.safetensors")
    for name, *said in (
        ("large.npy", "too large for float32"),
        ("several.npy", "is no array of numpy"),
        ("half.safetensors", "bfloat16", "float32"),
        ("1.png", "features of 2 × 2 regions are wanted"),
    ):
        write(folder, [LINE | {"image": one} for one in ("good.npy", name)])
        fails(dmn("prepare", "image", folder, "--out", tmp_path / "data"), 3, "q.jsonl:2", name, *said)
    write(folder, [LINE | {"image": one} for one in ("1.png", "good.npy")])
    fails(dmn("prepare", "image", folder, "--out", tmp_path / "data"), 3, "q.jsonl:2", "a picture is wanted")
    with pytest.raises(DataError, match="is no file"):
        features.form_of(folder / "pipe.npy")


def test_features_of_a_kind_that_another_library_taught_numpy(tmp_path: Path) -> None:
    pytest.importorskip("ml_dtypes")  # once imported, safetensors reads bfloat16
    torch_save_file({"x": torch.ones(2, 2, 5, dtype=torch.bfloat16)}, tmp_path / "half.safetensors")
    with pytest.raises(DataError, match="bfloat16") as failed:
        features.form_of(tmp_path / "half.safetensors")
    assert "float32" in str(failed.value.hint)


def test_options_that_say_nothing_of_what_is_read(dmn: Dmn, folder: Path, tmp_path: Path) -> None:
    (folder / "UP.NPY").write_bytes(npy(np.ones((2, 2, 5), np.float32)))
    write(folder, [LINE | {"image": "UP.NPY", "split": split} for split in ("train", "valid")])
    prepare = ("prepare", "image", folder, "--out", tmp_path / "data")
    for option in ("--side", "--grid"):
        fails(dmn(*prepare, option, 9), 2, option, "features")
    assert dmn(*prepare).code == 0
    made = ("prepare", "image", "--make", "sort-of-clevr", "--out", tmp_path / "shapes")
    fails(dmn(*made, "--task", "mine"), 2, "--task")


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def test_a_picture_is_one_under_all_of_its_names(dmn: Dmn, folder: Path, tmp_path: Path) -> None:
    (folder / "link.png").symlink_to(folder / "1.png")
    names = ("1.png", "link.png", "../photos/1.png", str(folder / "1.png"), "2.png")
    write(folder, [LINE | {"image": name} for name in names])
    assert dmn("prepare", "image", folder, "--out", tmp_path / "data", "--side", 8, "--grid", 2).code == 0
    pictures = DataSet(tmp_path / "data").pictures
    assert pictures is not None
    assert len(pictures.array) == 2


@pytest.mark.parametrize("kind", [np.int32, np.float32])
def test_pixels_of_32_bits_are_refused(folder: Path, kind: type) -> None:
    """Nobody says which number is white."""
    Image.fromarray(np.full((4, 4), 200, kind)).save(folder / "32.tif")
    with pytest.raises(DataError, match="32 bits"):
        pixels.decode(folder / "32.tif", 8)


def test_daquar_is_read_from_its_archive(dmn: Dmn, tmp_path: Path) -> None:
    folder, out = tmp_path / "daquar", tmp_path / "data"
    folder.mkdir()
    with tarfile.open(folder / "pictures.tar", "w") as archive:
        for n in (1, 2, 3):
            content = io.BytesIO()
            Image.new("RGB", (32, 24), (n, 0, 0)).save(content, "PNG")
            member = tarfile.TarInfo(f"images/image{n}.png")
            member.size = len(content.getvalue())
            archive.addfile(member, io.BytesIO(content.getvalue()))
    train = "what is on the desk ?\nlamp\nimage1\nhow many chairs are there ?\n2\nimage3\n"
    (folder / "qa.894.raw.train.format_triple").write_text(train)
    (folder / "qa.894.raw.test.txt").write_text("what is on the wall in the image2 ?\nclock, picture\n")
    made = dmn("prepare", "image", folder, "--side", 16, "--grid", 2, "--out", out)
    assert made.code == 0, made.err
    data = DataSet(out)
    example = data.example(data.split("test"), 0)
    assert (example.question, example.answer) == ("what is on the wall ?", ["clock", "picture"])
    assert data.pictures is not None
    assert [int(data.pictures.array[n, 0, 0, 0]) for n in data.pictures.of["test"]] == [2]
    (folder / "qa.894.raw.train.format_triple").write_text(train + "what ?\nit\nimage9\n")
    fails(dmn("prepare", "image", folder, "--out", tmp_path / "other"), 3, "train.format_triple:7", "image9")


def test_sort_of_clevr_answers_are_true() -> None:
    """As whoever looks at the pixels finds."""
    form = PictureForm(15, 15, sort_of_clevr.SIDE)
    pictures = [*sort_of_clevr.pictures(range(30), 3)]
    stories = [*sort_of_clevr.stories(range(30), 3, form)]
    names, asked = list(sort_of_clevr.COLOURS), Counter[str]()
    for n, picture in enumerate(pictures):
        centres, shapes = {}, {}
        for name, colour in sort_of_clevr.COLOURS.items():
            y, x = np.nonzero((picture == colour).all(axis=2))
            scene = sort_of_clevr.draw_scene(sort_of_clevr._random(3, n))
            i = names.index(name)
            centres[name] = np.array([scene.x[i], scene.y[i]])
            assert x.min() >= scene.x[i] - 5
            assert y.max() <= scene.y[i] + 5
            shapes[name] = "square" if scene.shape[i] == 0 else "circle"
        for question in stories[2 * n].questions:
            [this] = [name for name in names if f"the {name} object" in question.text]
            distances = {name: ((centres[name] - centres[this]) ** 2).sum() for name in names if name != this}
            if "closest" in question.text:
                kind, expected = "closest", shapes[min(distances, key=distances.__getitem__)]
            elif "furthest" in question.text:
                kind, expected = "furthest", shapes[max(distances, key=distances.__getitem__)]
            else:
                kind, expected = "count", str(sum(shape == shapes[this] for shape in shapes.values()))
            assert question.answer == (expected,)
            assert question.support[0] == form.region_at(*(centres[this] / sort_of_clevr.SIDE))
            asked[kind] += 1
        assert all(len(story.questions) == 10 for story in stories[2 * n : 2 * n + 2])
    assert min(asked.values()) > 50


_VALUES = st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.lists(st.floats() | st.text(max_size=3))


@hypothesis_settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(record=st.dictionaries(st.sampled_from(["image", "question", "answer", "split", "support", "task"]), _VALUES))
def test_any_line_is_read_or_refused(folder: Path, record: dict[str, object]) -> None:
    write(folder, [LINE | record])
    try:
        [asked] = lines.read([folder], "task")
    except DmnError as refused:
        where = str(refused.where)
        assert where.endswith("q.jsonl:1")
    else:
        assert asked.picture.is_file()  # type: ignore[union-attr]
        assert asked.answer


@hypothesis_settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(at=st.integers(0, 200), by=st.integers(1, 255), cut=st.integers(0, 300))
def test_any_damaged_picture_is_read_or_refused(folder: Path, at: int, by: int, cut: int) -> None:
    for name in ("1.png", "3.jpg"):
        content = bytearray((folder / name).read_bytes())
        content[at % len(content)] ^= by
        try:
            assert pixels.decode(io.BytesIO(bytes(content[: max(cut, 20)])), 8).shape == (8, 8, 3)
        except DataError as refused:
            assert refused.message  # noqa: PT017


def test_a_picture_may_be_of_any_shape_but_not_longer_than_memory_bears(tmp_path: Path) -> None:
    """Each row of pixels takes eight bytes more than its pixels."""
    Image.new("RGB", (1, 60_000), "red").save(tmp_path / "long.png")
    assert pixels.decode(tmp_path / "long.png", 4).shape == (4, 4, 3)
    (tmp_path / "longer.png").write_bytes(png(1, 1 << 26))
    with pytest.raises(DataError, match="too many pixels: 1 × 67,108,864 pixels"):
        pixels.decode(tmp_path / "longer.png", 4)


@pytest.mark.parametrize(
    "header", ["{'shape': (", "{'descr': '|O', 'fortran_order': False, 'shape': (2, 2, 3), }", "1"]
)
def test_features_with_a_wrong_header_are_refused(folder: Path, header: str) -> None:
    """It is written in Python, of which reading it may raise whatever Python raises."""
    (folder / "f.npy").write_bytes(b"\x93NUMPY\x01\0" + struct.pack("<H", len(header) + 1) + header.encode() + b"\n")
    write(folder, [{"image": "f.npy", "question": "What?", "answer": "red"}])
    with pytest.raises(DataError, match=r"f\.npy is no array of numpy") as caught:
        consumed(folder)
    assert str(caught.value.where).endswith("q.jsonl:1")


def test_a_chunk_of_four_gigabytes_is_never_set_aside(little_memory: None, tmp_path: Path) -> None:
    content = png(400, 400)
    at = content.index(b"IDAT") - 4
    (tmp_path / "long.png").write_bytes(content[:at] + b"\xff\xff\xff\xff" + content[at + 4 :])
    with pytest.raises(DataError, match="damaged picture"):
        pixels.decode(tmp_path / "long.png", 4)
    with pytest.raises(DataError, match="is no file"):
        pixels.decode(tmp_path, 4)


def test_what_cannot_be_a_name_is_no_picture(folder: Path) -> None:
    write(folder, [{"image": "a" * 5000, "question": "What?", "answer": "red"}])
    with pytest.raises(DataError, match="there is no picture"):
        consumed(folder)


def consumed(folder: Path) -> None:
    for picture in pictured(lines.read([folder], "task"), seed=1, side=8, grid=2).pictures.read():
        assert picture.size
