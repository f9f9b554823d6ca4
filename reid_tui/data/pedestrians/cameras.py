"""Where a pedestrian is seen: four cameras, each with its own light, hue, blur, background and distance.

Legend: B images, H x W pixels; colours 0..1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from reid_tui.data.pedestrians.people import FloatArray, grid, hsv

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from reid_tui.data.dataset import IntArray

_MARGIN: Final = 24
"""Pixels by which a camera's scene is larger than its pictures; each picture is cut out somewhere."""


@dataclass(frozen=True, slots=True)
class Camera:
    """One place of recording."""

    gain: float
    tint: tuple[float, float, float]
    hue: float
    """Rotation of all colours about the grey axis, in turns."""
    saturation: float
    haze: float
    """Light added everywhere, before the gain."""
    blur: float
    """Weight of each neighbouring pixel, 0..0.3."""
    noise: float
    """Standard deviation."""
    scale: float
    """Pixels that a body of height 1 is tall, as a share of the picture's height."""


CAMERAS: Final = (
    Camera(gain=1.00, tint=(1.0, 1.0, 0.98), hue=0.0, saturation=1.0, haze=0.02, blur=0.02, noise=0.01, scale=0.87),
    Camera(
        gain=0.90, tint=(1.08, 0.99, 0.88), hue=0.015, saturation=0.95, haze=0.03, blur=0.12, noise=0.015, scale=0.91
    ),
    Camera(
        gain=0.76, tint=(0.91, 0.98, 1.11), hue=-0.015, saturation=0.9, haze=0.02, blur=0.07, noise=0.02, scale=0.89
    ),
    Camera(gain=0.92, tint=(0.96, 1.05, 0.95), hue=0.02, saturation=0.85, haze=0.06, blur=0.18, noise=0.02, scale=0.85),
)


def body_sizes(rng: np.random.Generator, cameras_B: IntArray, height: int) -> NDArray[np.float64]:
    """(B,) pixels that a body of height 1 is tall, with each picture's own distance."""
    scale = np.array([camera.scale for camera in CAMERAS])[cameras_B]
    sizes: NDArray[np.float64] = height * scale * (0.95 + 0.10 * rng.random(len(cameras_B)))
    return sizes


def draw_scenes(rng: np.random.Generator, height: int, width: int) -> FloatArray:
    """(cameras, 3, H + margin, W + margin): a wall, a ground and things that stand about."""
    tall, wide = height + _MARGIN, width + _MARGIN
    scenes = np.empty((len(CAMERAS), 3, tall, wide), dtype=np.float32)
    for scene in scenes:
        wall, ground = hsv(rng.random(2), 0.35 * rng.random(2), 0.35 + 0.5 * rng.random(2))
        horizon = int(tall * (0.45 + 0.2 * rng.random()))
        scene[:, :horizon], scene[:, horizon:] = wall[:, None, None], ground[:, None, None]
        for _ in range(14):
            top, left = int(rng.integers(0, tall - 6)), int(rng.integers(0, wide - 4))
            high, broad = int(rng.integers(4, 30)), int(rng.integers(3, 16))
            color = hsv(rng.random(1), 0.6 * rng.random(1), 0.15 + 0.75 * rng.random(1))[0]
            part = scene[:, top : top + high, left : left + broad]
            part += np.float32(0.45) * (color[:, None, None] - part)
        scene += np.float32(0.1) * (rng.random((1, tall, wide), dtype=np.float32) - np.float32(0.5))
    return scenes


def backgrounds(
    rng: np.random.Generator, scenes: FloatArray, cameras_B: IntArray, height: int, width: int
) -> FloatArray:
    """(B, 3, H, W) cut out of each picture's scene at a place of its own."""
    count = len(cameras_B)
    top, left = rng.integers(0, _MARGIN, size=count), rng.integers(0, _MARGIN, size=count)
    rows = (top[:, None] + np.arange(height))[:, :, None]
    columns = (left[:, None] + np.arange(width))[:, None, :]
    cut = scenes.transpose(0, 2, 3, 1)[cameras_B[:, None, None], rows, columns]
    return np.ascontiguousarray(cut.transpose(0, 3, 1, 2))


def occlude(rng: np.random.Generator, canvas: FloatArray) -> None:
    """Put something before the person in a quarter of the pictures: a post, a bin, a passing shoulder."""
    count, (height, width) = len(canvas), canvas.shape[2:]
    y, x = np.arange(height)[None, :, None], np.arange(width)[None, None, :]
    shown = (rng.random(count) < 0.25)[:, None, None]
    post = (rng.random(count) < 0.5)[:, None, None]
    left = rng.integers(-6, width - 2, size=count)[:, None, None]
    broad = rng.integers(3, 9, size=count)[:, None, None]
    edge = (height - rng.integers(6, height // 3, size=count))[:, None, None]
    inside = shown & np.where(
        post, (x >= left) & (x < left + broad), (y >= edge) & (x >= left) & (x < left + 3 * broad)
    )
    color = hsv(rng.random(count), 0.5 * rng.random(count), 0.1 + 0.7 * rng.random(count))
    np.copyto(canvas, color[:, :, None, None], where=inside[:, None])


def record(rng: np.random.Generator, canvas: FloatArray, cameras_B: IntArray) -> NDArray[np.uint8]:
    """What the cameras make of what is before them: colour, blur, noise, eight bits.

    Args:
        rng: the source of chance.
        canvas: (B, 3, H, W) float32 0..1, changed.
        cameras_B: (B,) camera of each picture.
    """
    matrix, offset = _color(rng, cameras_B)
    seen = np.empty_like(canvas)
    for channel in range(3):
        weights = matrix[:, channel, :, None, None]
        seen[:, channel] = canvas[:, 0] * weights[:, 0] + canvas[:, 1] * weights[:, 1] + canvas[:, 2] * weights[:, 2]
        seen[:, channel] += offset[:, channel, None, None]
    weight = grid(np.array([camera.blur for camera in CAMERAS]))[cameras_B][:, None, None, None]
    _blur(seen, weight, axis=2)
    _blur(seen, weight, axis=3)
    spread = grid(np.array([camera.noise for camera in CAMERAS]) * 2.45)[cameras_B][:, None, None, None]
    noise = rng.random(seen.shape, dtype=np.float32)
    noise -= rng.random(seen.shape, dtype=np.float32)
    seen += spread * noise
    np.clip(seen, 0.0, 1.0, out=seen)
    seen *= np.float32(255.0)
    return np.rint(seen).astype(np.uint8)


def _color(rng: np.random.Generator, cameras_B: IntArray) -> tuple[FloatArray, FloatArray]:
    """(B, 3, 3) matrix and (B, 3) offset that carry scene colours to recorded ones."""
    count = len(cameras_B)
    field = {
        name: np.array([getattr(camera, name) for camera in CAMERAS])[cameras_B]
        for name in ("gain", "hue", "saturation", "haze")
    }
    tint = np.array([camera.tint for camera in CAMERAS])[cameras_B]
    gain = field["gain"] * (0.9 + 0.2 * rng.random(count))
    turn = 2.0 * np.pi * (field["hue"] + 0.02 * (rng.random(count) - 0.5))
    tint = tint * (0.96 + 0.08 * rng.random((count, 3)))
    grey = np.full((3, 3), 1.0 / 3.0)
    cross = np.array([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]]) / np.sqrt(3.0)
    cos, sin = np.cos(turn)[:, None, None], np.sin(turn)[:, None, None]
    vivid = field["saturation"][:, None, None]
    rotated = grey + vivid * (cos * (np.eye(3) - grey) + sin * cross)
    matrix = gain[:, None, None] * tint[:, :, None] * rotated
    return grid(matrix), grid(gain[:, None] * tint * field["haze"][:, None])


def _blur(images: FloatArray, weight: FloatArray, axis: int) -> None:
    """Mix every pixel with its two neighbours along an axis; the rim keeps its own value as neighbour."""
    moved = np.moveaxis(images, axis, 0)
    padded = np.concatenate([moved[:1], moved, moved[-1:]])
    weights = weight.reshape(-1)[:, None, None]
    moved += weights * (padded[:-2] + padded[2:] - 2 * padded[1:-1])
