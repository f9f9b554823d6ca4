"""Every format and mode against values known beforehand, and files that are no pictures."""

from __future__ import annotations

import functools
import io
import logging
import struct
import threading
import warnings
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile, PngImagePlugin

from reid_tui.data.dataset import UInt8Array
from reid_tui.data.folders.decode import LARGEST_PIXELS, Source, TooLargeError, UnreadableError, upright_size
from reid_tui.data.folders.listing import Box

H, W = 6, 4
LOSSLESS = ("PNG", "BMP", "PPM", "TIFF", "WEBP")


def written(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def read(content: bytes, box: Box | None = None, size: tuple[int, int] = (H, W)) -> UInt8Array:
    return Source(content).part(box, size)


def outcome(content: bytes) -> UInt8Array | str:
    """The pixels, or why there are none."""
    try:
        return read(content)
    except UnreadableError as error:
        return str(error)


def colours(height: int = H, width: int = W, seed: int = 0) -> UInt8Array:
    """(H, W, 3)"""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("kind", LOSSLESS)
def test_colour_is_read_bit_for_bit(kind: str) -> None:
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    found = read(written(Image.fromarray(colours()), kind, **options))
    np.testing.assert_array_equal(found, colours().transpose(2, 0, 1))


@pytest.mark.parametrize("kind", ["PNG", "BMP", "PPM", "TIFF", "GIF"])
def test_grey_stays_grey(kind: str) -> None:
    grey = colours()[..., 0]
    found = read(written(Image.fromarray(grey), kind))
    np.testing.assert_array_equal(found, grey[None])


@pytest.mark.parametrize("kind", ["JPEG", "MPO", "WEBP"])
def test_lossy_formats_are_near(kind: str) -> None:
    plain = Image.new("RGB", (W, H), (200, 40, 90))
    found = read(written(plain, kind, quality=95))
    assert found.shape == (3, H, W)
    assert np.abs(found.astype(int) - np.array([200, 40, 90])[:, None, None]).max() <= 4


def test_grey_jpeg_has_one_channel() -> None:
    assert read(written(Image.new("L", (W, H), 77), "JPEG")).tolist() == [[[77] * W] * H]


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM", "BMP", "GIF"])
def test_black_and_white(kind: str) -> None:
    bits = colours()[..., 0] > 127
    found = read(written(Image.fromarray(bits), kind))
    np.testing.assert_array_equal(found, np.where(bits, 255, 0)[None])


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
def test_sixteen_bits_become_eight(kind: str) -> None:
    ramp = np.arange(0, 1 << 16, 256, dtype=np.uint16).reshape(16, 16) + np.uint16(7)
    found = read(written(Image.fromarray(ramp), kind), size=(16, 16))
    np.testing.assert_array_equal(found, np.arange(256).reshape(1, 16, 16))


def test_sixteen_bits_the_other_way_round() -> None:
    entries = [(256, 3, 1, 2), (257, 3, 1, 1), (258, 3, 1, 16), (259, 3, 1, 1), (262, 3, 1, 1)]
    entries += [(273, 4, 1, 0), (278, 3, 1, 1), (279, 4, 1, 4)]
    data_at = 10 + 2 + 12 * len(entries) + 4
    big = b"MM\0*" + struct.pack(">I", 10) + b"\0\0" + struct.pack(">H", len(entries))
    for tag, kind, count, value in entries:
        value = data_at if tag == 273 else value
        big += struct.pack(">HHI", tag, kind, count)
        big += struct.pack(">HH", value, 0) if kind == 3 else struct.pack(">I", value)
    big += b"\0\0\0\0" + b"\x12\x34\xff\x00"
    assert read(big, size=(1, 2)).tolist() == [[[0x12, 0xFF]]]


def test_a_pgm_with_a_small_largest_value_is_scaled_to_it() -> None:
    content = b"P5 2 1 1023\n" + struct.pack(">HH", 0, 1023)
    assert read(content, size=(1, 2)).tolist() == [[[0, 255]]]


@pytest.mark.parametrize(
    ("values", "found"),
    [([0.0, 0.5, 1.0, float("nan")], [0, 128, 255, 0]), ([-3.0, 7.4, 300.0, 255.0], [0, 7, 255, 255])],
)
def test_fractions(values: list[float], found: list[int]) -> None:
    content = written(Image.fromarray(np.array([values], dtype=np.float32)), "TIFF")
    assert read(content, size=(1, 4)).tolist() == [[found]]


def test_alpha_lies_over_white() -> None:
    image = Image.new("RGBA", (2, 1))
    image.putpixel((0, 0), (10, 20, 30, 0))
    image.putpixel((1, 0), (100, 0, 200, 255))
    for kind in ("PNG", "TIFF"):
        assert read(written(image, kind), size=(1, 2)).tolist() == [[[255, 100]], [[255, 0]], [[255, 200]]]
    image.putpixel((0, 0), (0, 0, 0, 51))
    assert read(written(image), size=(1, 2))[:, 0, 0].tolist() == [204] * 3


def test_grey_with_alpha() -> None:
    image = Image.new("LA", (2, 1))
    image.putpixel((0, 0), (10, 0))
    image.putpixel((1, 0), (100, 255))
    assert read(written(image), size=(1, 2)).tolist() == [[[255, 100]]]


@pytest.mark.parametrize("mode", ["1", "L", "RGB"])
def test_one_colour_that_is_transparent(mode: str) -> None:
    image = Image.new(mode, (2, 1), 0)
    image.putpixel((1, 0), {"1": 1, "L": 90, "RGB": (90, 80, 70)}[mode])
    found = read(written(image, transparency=(0, 0, 0) if mode == "RGB" else 0), size=(1, 2))
    assert found[:, 0].tolist() == {"1": [[255, 255]], "L": [[255, 90]], "RGB": [[255, 90], [255, 80], [255, 70]]}[mode]


def test_palettes() -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putpixel((1, 0), 1)
    shown = [[[10, 200]], [[20, 100]], [[30, 50]]]
    for kind in ("PNG", "GIF", "BMP", "TIFF"):
        assert read(written(image, kind), size=(1, 2)).tolist() == shown, kind
    for transparency in (0, b"\x00\xff"):
        found = read(written(image, transparency=transparency), size=(1, 2))
        assert found.tolist() == [[[255, 200]], [[255, 100]], [[255, 50]]]
    image.putpalette([10, 10, 10, 200, 200, 200])
    for kind in ("PNG", "GIF", "BMP", "TIFF"):
        assert read(written(image, kind), size=(1, 2)).tolist() == [[[10, 200]]], kind


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
@pytest.mark.parametrize(
    ("ink", "shown"),
    [
        ((255, 0, 0, 0), (0, 255, 255)),
        ((0, 255, 0, 0), (255, 0, 255)),
        ((0, 0, 255, 0), (255, 255, 0)),
        ((0, 0, 0, 255), (0, 0, 0)),
        ((0, 0, 0, 0), (255, 255, 255)),
    ],
)
def test_ink_becomes_light(kind: str, ink: tuple[int, ...], shown: tuple[int, ...]) -> None:
    found = read(written(Image.new("CMYK", (16, 16), ink), kind), size=(16, 16))
    assert np.abs(found.astype(int) - np.array(shown)[:, None, None]).max() <= 3


def test_luma_and_chroma() -> None:
    image = Image.new("RGB", (16, 16), (200, 40, 90)).convert("YCbCr")
    found = read(written(image, "TIFF"), size=(16, 16))
    assert np.abs(found.astype(int) - np.array([200, 40, 90])[:, None, None]).max() <= 3


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientations(kind: str, orientation: int) -> None:
    """A red corner at the upper left, a blue one at the upper right, stored in each of the eight ways."""
    upright = np.full((32, 64, 3), 255, dtype=np.uint8)
    upright[:16, :16], upright[:16, -16:] = (255, 0, 0), (0, 0, 255)
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: np.rot90(upright, 2).transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    options: dict[str, Any] = {"lossless": True} if kind == "WEBP" else {"quality": 100, "subsampling": 0}
    content = written(Image.fromarray(np.ascontiguousarray(stored)), kind, exif=exif, **options)
    assert upright_size(io.BytesIO(content)) == (32, 64)
    found = read(content, size=(32, 64)).astype(int).transpose(1, 2, 0)
    assert np.abs(found - upright).max() <= (12 if kind == "JPEG" else 0)
    corner = read(content, Box(48, 0, 16, 16), (16, 16)).astype(int)
    assert np.abs(corner - np.array([0, 0, 255])[:, None, None]).max() <= 12


def test_a_damaged_note_costs_no_picture() -> None:
    note = b"Exif\0\0II*\0\xff\xff\xff\xff" + bytes(20)
    assert read(written(Image.fromarray(colours()), "JPEG", exif=note)).shape == (3, H, W)
    text = PngImagePlugin.PngInfo()
    text.add_text("Raw profile type exif", "\nexif\n 8\nzz", zip=True)
    np.testing.assert_array_equal(read(written(Image.fromarray(colours()), pnginfo=text)), colours().transpose(2, 0, 1))


def test_of_moving_pictures_the_first_is_taken() -> None:
    frames = [Image.new("RGB", (W, H), colour) for colour in ((250, 0, 0), (0, 250, 0))]
    for kind, options in (("PNG", {}), ("GIF", {}), ("WEBP", {"lossless": True}), ("TIFF", {})):
        content = written(frames[0], kind, save_all=True, append_images=frames[1:], **options)
        with Image.open(io.BytesIO(content)) as image:
            assert getattr(image, "n_frames", 1) == 2, kind
        assert read(content)[:, 0, 0].tolist() == [250, 0, 0], kind


def test_boxes() -> None:
    image = colours(20, 30)
    content = written(Image.fromarray(image))
    shown = image.transpose(2, 0, 1)
    np.testing.assert_array_equal(read(content, Box(5, 7, W, H)), shown[:, 7:13, 5:9])
    np.testing.assert_array_equal(read(content, Box(-3, -2, W + 3, H + 2)), shown[:, :6, :4])
    np.testing.assert_array_equal(read(content, Box(26, 14, 100, 100)), shown[:, 14:, 26:])
    for box in (Box(30, 0, 5, 5), Box(0, -9, 5, 9), Box(3, 3, 0, 5), Box(3, 3, 5, -1)):
        with pytest.raises(UnreadableError, match=r"holds nothing of the 30 x 20 pixels"):
            read(content, box)


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_box_of_a_large_picture_is_what_a_crop_of_it_is(kind: str) -> None:
    smooth = Image.fromarray(colours(4, 5)).resize((1000, 800), Image.Resampling.BICUBIC)
    with Image.open(io.BytesIO(written(smooth, kind, quality=98, subsampling=0))) as image:
        whole = image.convert("RGB")
    source = Source(written(smooth, kind, quality=98, subsampling=0))
    for box in (Box(100, 50, 640, 600), Box(500, 0, 200, 300), Box(3, 5, 90, 70)):
        wanted = whole.crop((box.x, box.y, box.x + box.width, box.y + box.height)).resize(
            (32, 64), Image.Resampling.BOX
        )
        found = source.part(box, (64, 32)).transpose(1, 2, 0).astype(int)
        assert np.abs(found - np.asarray(wanted)).mean() < 3


def test_any_size_becomes_the_one_that_was_asked_for() -> None:
    for height, width in ((1, 1), (300, 2), (2, 300), (H, W + 1)):
        assert read(written(Image.new("RGB", (width, height), "red")))[0].tolist() == [[255] * W] * H


def png_header(width: int, height: int) -> bytes:
    """A PNG that promises so many pixels and has none."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(10))) + chunk(b"IEND", b"")


@pytest.mark.parametrize(("width", "height"), [(8200, 5000), (30_000, 30_000), (2**31 - 1, 2**31 - 1)])
def test_too_many_pixels_are_refused_from_the_header(monkeypatch: pytest.MonkeyPatch, width: int, height: int) -> None:
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda self: pytest.fail("it was decoded"))
    for look in (Source, lambda content: upright_size(io.BytesIO(content))):
        with pytest.raises(TooLargeError, match=r"more than 40 megapixels"):
            look(png_header(width, height))


def test_a_header_that_lies() -> None:
    assert LARGEST_PIXELS >= 8000 * 5000
    with pytest.raises(UnreadableError):
        read(png_header(8000, 5000))


def test_what_another_library_makes_of_pillows_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    with pytest.raises(TooLargeError):
        read(png_header(30_000, 30_000))


@functools.cache
def samples() -> dict[str, bytes]:
    image = Image.fromarray(colours(40, 30))
    kinds = {kind: written(image, kind) for kind in ("PNG", "JPEG", "BMP", "PPM", "WEBP", "TIFF", "GIF")}
    kinds["LZW"] = written(image, "TIFF", compression="tiff_lzw")
    kinds["TIFF as JPEG"] = written(image, "TIFF", compression="jpeg")
    kinds["MPO"] = written(image, "MPO", save_all=True, append_images=[image])
    return kinds


@pytest.mark.parametrize("kind", samples())
def test_a_cut_file_is_told_in_a_few_words(kind: str, capfd: pytest.CaptureFixture[str]) -> None:
    content = samples()[kind]
    for eighth in range(8):
        found = outcome(content[: len(content) * eighth // 8])
        if isinstance(found, str):
            assert found.isprintable()
            assert 0 < len(found) <= 100
            assert "object at" not in found
        else:
            assert eighth >= 4, "hardly a picture"
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_deflate", "jpeg", "group4"])
def test_libtiff_is_silent(compression: str, capfd: pytest.CaptureFixture[str]) -> None:
    image = Image.fromarray(colours(40, 30)).convert("1" if compression == "group4" else "RGB")
    content = bytearray(written(image, "TIFF", compression=compression))
    for place in range(0, len(content), 5):
        outcome(bytes(content[:place]) + bytes([content[place] ^ 0xFF]) + bytes(content[place + 1 :]))
    assert capfd.readouterr() == ("", "")


def test_what_is_no_picture() -> None:
    for content, said in ((b"", "empty file"), (bytes(5000), "no picture"), (b"GIF89a", "damaged|no picture")):
        with pytest.raises(UnreadableError, match=said):
            read(content)
    for kind in ("ICO", "TGA", "PCX", "SGI"):
        with pytest.raises(UnreadableError, match="no picture of a known format"):
            read(written(Image.new("RGB", (16, 16)), kind))


def test_a_bomb_of_text() -> None:
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "x" * 20_000_000, zip=True)
    with pytest.raises(UnreadableError):
        read(written(Image.new("RGB", (W, H)), pnginfo=text))


@settings(deadline=None, max_examples=100)
@given(st.data())
def test_no_file_raises_anything_else(data: st.DataObject) -> None:
    contents = samples()
    content = bytearray(contents[data.draw(st.sampled_from(sorted(contents)))])
    for _ in range(data.draw(st.integers(1, 12))):
        place = data.draw(st.integers(0, len(content) - 1) | st.integers(0, min(len(content), 200) - 1))
        content[place] = data.draw(st.integers(0, 255))
    found = outcome(bytes(content))
    assert found.isprintable() if isinstance(found, str) else found.shape[1:] == (H, W)


@given(
    st.binary(max_size=200), st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"II*\0", b"MM\0*", b"BM", b"P6 ", b"GIF89a"])
)
def test_noise_is_no_picture(noise: bytes, head: bytes) -> None:
    found = outcome(head + noise)
    assert not isinstance(found, str) or found.isprintable()


def noisy() -> bytes:
    """A TIFF on which Pillow remarks: a tag whose data lies behind the end."""
    content = bytearray(written(Image.fromarray(colours()), "TIFF"))
    at = struct.unpack_from("<I", content, 4)[0]
    count = struct.unpack_from("<H", content, at)[0]
    struct.pack_into("<HHII", content, at + 2 + 12 * (count - 1), 700, 1, 50_000, 20)
    return bytes(content)


def test_pillow_is_silent_in_all_threads_also_where_warnings_are_errors(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.warns(UserWarning, match="Tag data"):
        Image.open(io.BytesIO(noisy())).load()
    found: list[UInt8Array] = []
    with warnings.catch_warnings():
        warnings.resetwarnings()
        warnings.simplefilter("error")
        threads = [threading.Thread(target=lambda: found.extend(read(noisy()) for _ in range(20))) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(found) == 80
    assert all(np.array_equal(pixels, colours().transpose(2, 0, 1)) for pixels in found)
    assert capfd.readouterr() == ("", "")


def test_pillows_log_stays_off_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    logger = logging.getLogger("PIL")
    before, logger.handlers = logger.handlers, []
    root = logging.getLogger()
    of_root, root.handlers = root.handlers, []
    try:
        read(written(Image.fromarray(colours())))
        logging.getLogger("PIL.TiffImagePlugin").error("More samples per pixel than can be decoded")
    finally:
        logger.handlers, root.handlers = before, of_root
    assert capfd.readouterr() == ("", "")
