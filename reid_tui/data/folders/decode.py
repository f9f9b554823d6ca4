"""One picture's bytes into pixels of one size. Knows neither paths nor caches; Pillow only.

Legend: C channels, H height, W width.
"""

from __future__ import annotations

import ctypes
import logging
import re
import threading
import warnings
from contextlib import contextmanager, suppress
from io import BytesIO
from typing import IO, TYPE_CHECKING, Final

import numpy as np
from PIL import Image, UnidentifiedImageError, _imaging
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.PpmImagePlugin import PpmImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from reid_tui.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from reid_tui.data.dataset import UInt8Array
    from reid_tui.data.folders.listing import Box

_PLUGINS: Final = (
    PngImageFile,
    JpegImageFile,
    BmpImageFile,
    PpmImageFile,
    WebPImageFile,
    TiffImageFile,
    GifImageFile,
)
FORMATS: Final = tuple(plugin.format for plugin in _PLUGINS if plugin.format in Image.OPEN)
"""Pillow's names; MPO comes with JPEG. Others have had more faults than users in this field."""
LARGEST_PIXELS: Final = 40_000_000
_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What brings a picture upright, by its EXIF orientation."""
_LYING: Final = frozenset(turn for orientation, turn in _TURNS.items() if orientation >= 5)
_GAP: Final = 2.0
"""A cheap reduction leaves at least so many times the wanted side to the resampling filter."""
_GREY: Final = ("1", "L", "LA", "La")
_JPEG_SCALES: Final = (2, 4, 8)
_ORIENTATION: Final = 0x0112
_SILENCE: Final = ("ignore", None, Warning, re.compile(r"PIL\."), 0)
_SILENCING: Final = threading.Lock()


class UnreadableError(Exception):
    """A picture gives no pixels; the text says why in a few printable words."""


class TooLargeError(UnreadableError):
    """It has more than `LARGEST_PIXELS`, so nothing of it was decoded."""


class UnreadError(UnreadableError):
    """It says nothing against the picture: the next try may go better."""


class Source:
    """A file's content, of which several parts may be wanted; each is decoded once for all parts of about one size.

    What is transparent shows white, 16 bits become 8, colour profiles are passed over. The aspect is not kept, as is
    usual for crops. A picture, or a box in it, of the right size is not resampled: its pixels are as they were stored.
    """

    def __init__(self, content: bytes) -> None:
        """Read the header.

        Raises:
            UnreadableError: damaged, of another format, or too large.
        """
        if not content:
            raise UnreadableError("empty file")
        self._content = content
        self._whole: dict[int, Image.Image] = {}
        with _in_few_words():
            image = _opened(BytesIO(content))
            self._turn = _turn(image)
            self._upright = _upright(image.size, self._turn)
            self._shrinks = isinstance(image, JpegImageFile)
            self._has_palette = image.mode in ("P", "PA")
            if not self._shrinks:
                self._whole[1] = self._plain(image)

    def part(self, box: Box | None, size: tuple[int, int]) -> UInt8Array:
        """What lies in a box of the first frame, brought to one size.

        Args:
            box: in the upright picture; what lies outside of that is cut away. None: all of it.
            size: H, W.

        Returns:
            (1, H, W) for a picture without colour: grey, black and white, or with a palette of greys; else (3, H, W)
            RGB.

        Raises:
            UnreadableError: it is damaged behind its header, or nothing of it lies in the box.
        """
        height, width = size
        with _in_few_words():
            left, top, right, bottom = _clipped(box, *self._upright)
            image = self._at((right - left) / width, (bottom - top) / height)
            if (right - left, bottom - top) != (width, height):
                x, y = image.width / self._upright[0], image.height / self._upright[1]
                edges = (left * x, top * y, min(right * x, image.width), min(bottom * y, image.height))
                image = resized(image, size, edges)
            elif image.size != (width, height):
                image = image.crop((left, top, right, bottom))
            pixels: UInt8Array = np.asarray(image)
        if pixels.ndim == 2:
            return pixels[None]
        pixels = pixels.transpose(2, 0, 1)
        return pixels[:1] if self._has_palette and is_colourless(pixels) else pixels

    def _at(self, *too_large: float) -> Image.Image:
        """The whole picture; a JPEG may come smaller where it is so many times too large, which costs less."""
        fitting = [scale for scale in _JPEG_SCALES if scale * _GAP <= min(too_large)] if self._shrinks else []
        scale = max(fitting, default=1)
        if scale not in self._whole:
            image = _opened(BytesIO(self._content))
            if scale > 1:
                image.draft(None, (image.width // scale, image.height // scale))
            self._whole[scale] = self._plain(image)
        return self._whole[scale]

    def _plain(self, image: Image.Image) -> Image.Image:
        image = _plain(image)
        return image if self._turn is None else image.transpose(self._turn)


def resized(
    image: Image.Image, size: tuple[int, int], edges: tuple[float, float, float, float] | None = None
) -> Image.Image:
    """What lies between left, top, right and bottom edges of a picture, or all of it, brought to H, W.

    The aspect is not kept. A picture of this size is resampled to itself, bit for bit.
    """
    return image.resize(size[::-1], Image.Resampling.BILINEAR, edges, reducing_gap=_GAP)


def is_colourless(pixels: UInt8Array) -> bool:
    """Whether all channels of (C, H, W) are equal."""
    return all(np.array_equal(pixels[0], other) for other in pixels[1:])


def upright_size(file: IO[bytes]) -> tuple[int, int]:
    """Height and width of a picture as it is shown, from its header.

    Raises:
        UnreadableError: as `Source`, as far as the header tells.
    """
    with _in_few_words():
        image = _opened(file)
        width, height = _upright(image.size, _turn(image, header_only=True))
        return height, width


def _opened(file: IO[bytes]) -> Image.Image:
    _silence_pillow()
    image = Image.open(file, formats=FORMATS)
    if image.width * image.height > LARGEST_PIXELS:
        raise TooLargeError(f"{image.width} x {image.height} pixels, more than {LARGEST_PIXELS // 10**6} megapixels")
    return image


def _silence_pillow() -> None:
    """Keep Pillow's remarks on damaged files off the terminal, whatever became of the filters since the last picture.

    `warnings.catch_warnings` is no way: threads that leave it in another order than they came restore wrong filters.
    """
    logger = logging.getLogger("PIL")
    if _SILENCE in warnings.filters and logger.handlers:
        return
    with _SILENCING:
        _silence_libtiff()
        if _SILENCE not in warnings.filters:
            warnings.filterwarnings("ignore", module=_SILENCE[3].pattern)
        if not logger.handlers:
            logger.addHandler(logging.NullHandler())


def _silence_libtiff() -> None:
    """It writes to the process's stderr itself, past Python; what is wrong comes back as an error too."""
    with suppress(OSError, AttributeError):  # of a Pillow that was built without it, or in another way
        pillow = ctypes.CDLL(_imaging.__file__)
        for setter in (pillow.TIFFSetErrorHandler, pillow.TIFFSetWarningHandler):
            setter.argtypes, setter.restype = (ctypes.c_void_p,), ctypes.c_void_p
            setter(None)


@contextmanager
def _in_few_words() -> Iterator[None]:
    """Pillow lets through what a damaged file leads its plugins to: SyntaxError, KeyError, struct.error and more."""
    try:
        yield
    except UnreadableError:
        raise
    except UnidentifiedImageError as error:
        raise UnreadableError("no picture of a known format") from error
    except Image.DecompressionBombError as error:
        raise TooLargeError(f"more than {LARGEST_PIXELS // 10**6} megapixels") from error
    except MemoryError as error:
        raise UnreadError("not enough memory for it") from error
    except Exception as error:
        said = printable(error, 80) if isinstance(error, (OSError, ValueError)) else type(error).__name__
        raise UnreadableError(f"damaged: {said}") from error


def _turn(image: Image.Image, *, header_only: bool = False) -> Image.Transpose | None:
    """What brings a picture upright; a PNG may say so behind its pixels."""
    if isinstance(image, TiffImageFile):
        return None  # Pillow turns it, and has done so with the size
    if isinstance(image, PngImageFile) and not header_only:
        image.load()
    try:
        orientation = Image.Image.getexif(image).get(_ORIENTATION)
    except Exception:  # a picture is not less readable for damaged notes
        return None
    return _TURNS.get(orientation) if isinstance(orientation, int) else None


def _upright(size: tuple[int, int], turn: Image.Transpose | None) -> tuple[int, int]:
    return size[::-1] if turn in _LYING else size


def _clipped(box: Box | None, width: int, height: int) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of what is seen of the box."""
    if box is None:
        return 0, 0, width, height
    left, top = max(box.x, 0), max(box.y, 0)
    right, bottom = min(box.x + box.width, width), min(box.y + box.height, height)
    if left >= right or top >= bottom:
        text = ",".join(str(side) for side in box)
        raise UnreadableError(f"box {printable(text, 40)} holds nothing of the {width} x {height} pixels")
    return left, top, right, bottom


def _plain(image: Image.Image) -> Image.Image:
    """As mode L or RGB."""
    if image.mode == "F" or image.mode.startswith("I"):
        return Image.fromarray(_eight_bits(np.asarray(image)))
    mode = "L" if image.mode in _GREY else "RGB"
    if image.has_transparency_data:
        image = image.convert("LA" if mode == "L" else "RGBA")
        paper = Image.new(mode, image.size, "white")
        paper.paste(image, mask=image.getchannel("A"))
        return paper
    if image.mode == mode:
        image.load()
        return image
    return image.convert(mode)


def _eight_bits(values: NDArray[np.generic]) -> UInt8Array:
    """Whole numbers are taken for 16 bits; fractions for 0..1, or 0..255 where one is larger than 1."""
    if values.dtype.kind == "f":
        values = np.nan_to_num(values, nan=0.0)
        scaled = values * 255 if values.max() <= 1 else values
        fractions: UInt8Array = np.rint(np.clip(scaled, 0, 255)).astype(np.uint8)
        return fractions
    whole: UInt8Array = (np.clip(values, 0, 0xFFFF) >> 8).astype(np.uint8)
    return whole
