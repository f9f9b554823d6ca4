"""The generated Re-ID set: people seen by four cameras, others in training than in the test. Needs no files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from reid_tui.data.dataset import Dataset, ImageSet, fingerprint
from reid_tui.data.pedestrians import cameras, figure, people

if TYPE_CHECKING:
    from reid_tui.data.dataset import IntArray, UInt8Array

HEIGHT: Final = 64
WIDTH: Final = 32
TRAIN_IDENTITIES: Final = 128
TEST_IDENTITIES: Final = 64
PER_CAMERA: Final = 4
"""Images of each identity by each camera."""
SEED: Final = 20_061
"""Of the set itself; a run's own seed changes nothing in it."""
_CHUNK: Final = 64


def pedestrians(source: str = "generated") -> Dataset:
    """Draw the set; always the same one.

    Args:
        source: one line that says why it is drawn.

    Returns:
        128 training and 64 other test identities, 16 RGB images of 64x32 each, 4 by each of 4 cameras.
    """
    total = TRAIN_IDENTITIES + TEST_IDENTITIES
    rng = np.random.Generator(np.random.Philox(key=np.array([SEED, 0], dtype=np.uint64)))
    traits = people.draw_traits(rng, total)
    scenes = cameras.draw_scenes(rng, HEIGHT, WIDTH)
    identities = np.repeat(np.arange(total, dtype=np.int64), PER_CAMERA * len(cameras.CAMERAS))
    seen_by = np.tile(np.repeat(np.arange(len(cameras.CAMERAS), dtype=np.int64), PER_CAMERA), total)
    images = np.empty((len(identities), 3, HEIGHT, WIDTH), dtype=np.uint8)
    for start in range(0, len(identities), _CHUNK):
        part = slice(start, start + _CHUNK)
        images[part] = _draw(rng, traits.of(identities[part]), scenes, seen_by[part])
    names = tuple(f"P{number:03d}" for number in range(1, total + 1))
    edge = TRAIN_IDENTITIES * PER_CAMERA * len(cameras.CAMERAS)
    train = ImageSet(images[:edge], identities[:edge], seen_by[:edge])
    test = ImageSet(images[edge:], identities[edge:] - TRAIN_IDENTITIES, seen_by[edge:])
    return Dataset(
        name="pedestrians",
        train=train,
        test=test,
        identity_names=names[TRAIN_IDENTITIES:],
        train_identity_names=names[:TRAIN_IDENTITIES],
        source=f"pedestrians, {source}",
        unseen=True,
        fingerprint=fingerprint(train, test),
    )


def _draw(rng: np.random.Generator, traits: people.Traits, scenes: people.FloatArray, seen_by: IntArray) -> UInt8Array:
    canvas = cameras.backgrounds(rng, scenes, seen_by, HEIGHT, WIDTH)
    poses = people.draw_poses(rng, cameras.body_sizes(rng, seen_by, HEIGHT), HEIGHT, WIDTH)
    figure.draw_figures(canvas, traits, poses)
    cameras.occlude(rng, canvas)
    return cameras.record(rng, canvas, seen_by)
