"""Picture files → arrays. They may come from strangers: what is in a file is looked at before any of it is expanded."""

from __future__ import annotations

import base64
import io
import struct
import warnings
import zlib
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np

from dmn_cli.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

SUFFIXES = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
MOST_PIXELS = 1 << 26  # as many as 8,192 × 8,192
MOST_BYTES = 1 << 28  # of its file
LONGEST_SIDE = 1 << 16  # each row of pixels takes some memory, however short it is
_FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM")  # none of which starts another program
_DAMAGE = (OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, EOFError, OverflowError, struct.error)


def decode(file: Path | IO[bytes], side: int) -> np.ndarray:
    """A picture, turned as its camera says and scaled to a square: (side, side, 3) uint8.

    Grey becomes RGB, and what is transparent is laid on white. Of an animation it is the first picture.

    Raises: DataError where it is no picture, a damaged one, or one with more than `MOST_PIXELS` pixels; OSError where
    there is no such file.
    """
    from PIL import Image as Images
    from PIL import ImageOps, UnidentifiedImageError

    with _whole(file) if isinstance(file, Path) else file as stream, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what is odd and does no harm
        warnings.simplefilter("error", Images.DecompressionBombWarning)
        try:
            image: Image = Images.open(stream, formats=_FORMATS)
            width, height = image.size
            if width * height > MOST_PIXELS or max(width, height) > LONGEST_SIDE:
                raise _too_large(f"{width:,} × {height:,} pixels")
            if image.mode == "F" or (image.mode == "I" and image.format == "TIFF"):
                raise DataError("has pixels of 32 bits", hint="Save it with 8 or 16 bits for each colour.")
            image.draft("RGB", (side, side))  # of JPEG, no more than that is expanded
            ImageOps.exif_transpose(image, in_place=True)
            return np.asarray(_rgb(image).resize((side, side), Images.Resampling.BILINEAR))
        except UnidentifiedImageError as error:
            raise DataError("is no picture", hint="PNG, JPEG, GIF, BMP, WebP, TIFF and PPM can be read.") from error
        except (Images.DecompressionBombError, Images.DecompressionBombWarning) as error:
            raise _too_large("a multiple of that") from error
        except (*_DAMAGE, zlib.error) as error:
            raise DataError(f"is a damaged picture ({error})", hint="Does another program show it?") from error


def _whole(path: Path) -> IO[bytes]:
    """A file's content: what a picture says of its length is then no memory that a read sets aside."""
    if not path.is_file() and path.exists():
        raise DataError("is no file")
    if path.stat().st_size > MOST_BYTES:
        raise DataError(f"has more than {MOST_BYTES >> 20} MiB", hint="Scale the picture down.")
    return io.BytesIO(path.read_bytes())


def _too_large(size: str) -> DataError:
    return DataError(
        f"has too many pixels: {size}, and at most {MOST_PIXELS:,}, {LONGEST_SIDE:,} a side, can be read",
        hint="Scale the picture down.",
    )


def _rgb(image: Image) -> Image:
    from PIL import Image as Images

    if image.mode.startswith("I"):  # grey of 16 bits
        return Images.fromarray((np.asarray(image) >> 8).clip(0, 255).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Images.alpha_composite(Images.new("RGBA", image.size, "white"), image).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def scaled(pixels: np.ndarray, side: int) -> np.ndarray:
    """(height, width) or (height, width, 3 or 4) uint8 → (side, side, 3), as `decode` gives. Raises: DataError"""
    from PIL import Image as Images

    if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3) or not pixels.size or pixels.shape[2:] not in _CHANNELS:
        raise DataError("an array that is a picture is (height, width, 3) uint8")
    return np.asarray(_rgb(Images.fromarray(pixels)).resize((side, side), Images.Resampling.BILINEAR))


_CHANNELS = ((), (3,), (4,))


def as_url(picture: np.ndarray) -> str:
    """A data: URL with the picture as PNG. picture: (height, width, 3) uint8"""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
