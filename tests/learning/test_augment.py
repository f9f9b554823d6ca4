from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import affine_grid, pad
from torchvision.transforms import functional

from reid_tui.config import AUGMENTS, NAMED_AUGMENTS, augment_kinds, parse_augment
from reid_tui.errors import UsageError
from reid_tui.learning.augment import JITTER, Augmentation, _grid
from reid_tui.learning.networks import to_input

SHAPES = [(1, 28, 28), (3, 64, 32)]
CHOICES = [kinds for length in range(1, 6) for kinds in itertools.combinations(AUGMENTS, length)]


def pictures(shape: tuple[int, int, int], images: int = 64) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return to_input(torch.randint(0, 256, (images, *shape), generator=generator, dtype=torch.uint8))


def augmented(batch: Tensor, *kinds: str, step: int = 3) -> Tensor:
    return Augmentation(kinds).augment(batch, seed=7, step=step)


def test_no_kind_gives_the_very_tensor() -> None:
    batch = pictures((1, 28, 28))
    assert augmented(batch) is batch


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kinds", CHOICES)
def test_stays_a_picture_in_the_same_memory_order(kinds: tuple[str, ...], shape: tuple[int, int, int]) -> None:
    batch = pictures(shape, images=8)
    before, generator = batch.clone(), torch.get_rng_state()
    after = augmented(batch, *kinds)
    assert (after.shape, after.stride(), after.dtype) == (batch.shape, batch.stride(), batch.dtype)
    assert after.min() >= 0
    assert after.max() <= 1
    assert not torch.equal(after, batch)
    assert torch.equal(batch, before)
    assert torch.equal(torch.get_rng_state(), generator)


def test_the_step_and_the_seed_decide_all() -> None:
    everything = Augmentation(AUGMENTS)
    batch = pictures((3, 64, 32))
    first = everything.augment(batch, seed=1, step=5)
    assert torch.equal(first, Augmentation(AUGMENTS[::-1]).augment(batch, seed=1, step=5))
    assert not torch.equal(first, everything.augment(batch, seed=1, step=6))
    assert not torch.equal(first, everything.augment(batch, seed=2, step=5))


def test_what_is_done_to_an_image_depends_on_no_other_and_on_no_other_kind() -> None:
    plan = Augmentation(AUGMENTS).plan(64, 64, 32, seed=1, step=5)
    assert np.array_equal(Augmentation(AUGMENTS).plan(5, 64, 32, seed=1, step=5), plan[:5])
    assert len(np.unique(plan, axis=0)) == 64
    mirrored = plan[:, 0] < 0
    assert np.array_equal(Augmentation(("flip",)).plan(64, 64, 32, seed=1, step=5)[:, 0] < 0, mirrored)


def test_half_are_mirrored() -> None:
    batch = pictures((3, 64, 32), images=400)
    after = augmented(batch, "flip")
    mirrored = (after - batch.flip(3)).abs().amax(dim=(1, 2, 3)) < 1e-4
    kept = (after - batch).abs().amax(dim=(1, 2, 3)) < 1e-4
    assert torch.equal(mirrored, ~kept)
    assert 150 < mirrored.sum() < 250


@pytest.mark.parametrize(("shape", "down", "right"), [((1, 28, 28), 3, 3), ((3, 64, 32), 8, 4)])
def test_a_crop_is_cut_out_of_the_padded_picture_at_whole_pixels(
    shape: tuple[int, int, int], down: int, right: int
) -> None:
    _, height, width = shape
    batch = pictures(shape, images=300)
    padded, after = pad(batch, (right, right, down, down)), augmented(batch, "crop")
    found = torch.zeros(len(batch), 2 * down + 1, 2 * right + 1, dtype=torch.bool)
    for top, left in itertools.product(range(2 * down + 1), range(2 * right + 1)):
        cut = padded[:, :, top : top + height, left : left + width]
        found[:, top, left] = (cut - after).abs().amax(dim=(1, 2, 3)) < 1e-3
    assert found.sum(dim=(1, 2)).tolist() == [1] * len(batch)
    assert found.any(dim=(0, 2)).all()  # every shift down
    assert found.any(dim=(0, 1)).all()  # and every shift right


def test_affine_turns_scales_and_shifts_in_pixels() -> None:
    height, width = 64, 32
    plan = Augmentation(("affine",)).plan(1000, height, width, seed=0, step=0)
    maps = plan[:, :6].reshape(-1, 2, 3).astype(float)
    pixels = np.array([width / 2, height / 2])
    linear, shift = maps[:, :, :2] * pixels[:, None] / pixels, maps[:, :, 2] / 2
    scale = 1 / np.sqrt(np.linalg.det(linear))
    turn = np.degrees(np.arctan2(linear[:, 1, 0], linear[:, 0, 0]))
    assert linear @ linear.swapaxes(1, 2) == pytest.approx(np.eye(2) / scale[:, None, None] ** 2, abs=1e-5)
    for values, low, high in ((scale, 0.9, 1.1), (turn, -10, 10), (shift[:, 0], -0.1, 0.1), (shift[:, 1], -0.1, 0.1)):
        room = (high - low) / 50
        assert low - 1e-5 < values.min() < low + room
        assert high - room < values.max() < high + 1e-5


def test_affine_draws_what_torchvision_draws() -> None:
    batch = pictures((3, 64, 32), images=20)
    plan = Augmentation(("affine",)).plan(20, 64, 32, seed=0, step=0)
    plan[:, [2, 5]] = 0  # torchvision shifts by whole pixels only
    after = Augmentation(("affine",)).apply(batch, torch.from_numpy(plan))
    for image, row, found in zip(batch, plan.tolist(), after, strict=True):
        cos, sin = row[0], row[3] * 64 / 32
        turn, scale = math.degrees(math.atan2(sin, cos)), 1 / math.hypot(sin, cos)
        bilinear = functional.InterpolationMode.BILINEAR
        expected = functional.affine(image, -turn, [0, 0], scale, [0.0, 0.0], interpolation=bilinear)
        assert (found - expected).abs().max() < 1e-3


def test_the_grid_is_torchs() -> None:
    batch = pictures((3, 64, 32), images=9)
    maps = torch.from_numpy(Augmentation(AUGMENTS).plan(9, 64, 32, seed=0, step=0)[:, :6])
    expected = affine_grid(maps.reshape(-1, 2, 3), list(batch.shape), align_corners=False)
    assert torch.allclose(_grid(maps, batch), expected, atol=1e-6)


@pytest.mark.parametrize("shape", SHAPES)
def test_jitter_equals_torchvisions(shape: tuple[int, int, int]) -> None:
    batch = pictures(shape, images=40)
    factors = Augmentation(("jitter",)).plan(40, *shape[1:], seed=7, step=3)[:, 6:9]
    for column, most in zip(factors.T, JITTER, strict=True):
        assert 0.8 * most < np.abs(column - 1).max() <= most + 1e-6
    for image, row, found in zip(batch, factors.tolist(), augmented(batch, "jitter"), strict=True):
        expected = functional.adjust_contrast(functional.adjust_brightness(image, row[0]), row[1])
        if shape[0] == 3:
            expected = functional.adjust_saturation(expected, row[2])
        assert (found - expected).abs().max() < 1e-5


@pytest.mark.parametrize("shape", [*SHAPES, (3, 8, 200)])
def test_erase_fills_a_box_of_half_the_pictures_with_the_mean_colour(shape: tuple[int, int, int]) -> None:
    batch = pictures(shape, images=300)
    after = augmented(batch, "erase")
    changed = (after != batch).any(dim=1)
    erased = changed.any(dim=(1, 2))
    assert 110 < erased.sum() < 190
    shares = []
    for picture, mask in zip(after[erased], changed[erased], strict=True):
        rows, columns = mask.any(dim=1).nonzero(), mask.any(dim=0).nonzero()
        box = mask[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        assert box.all()
        assert torch.allclose(picture[:, mask], batch.mean(dim=(0, 2, 3))[:, None], atol=1e-6)
        shares.append(box.numel() / mask.numel())
    assert 0.01 < min(shares) < 0.04
    assert 0.18 < max(shares) < 0.23


def test_flip_crop_and_affine_are_one_resampling() -> None:
    batch = pictures((3, 64, 32), images=50)
    moved, mirrored = augmented(batch, "crop", "affine"), augmented(batch, "flip", "crop", "affine")
    turned_back = Augmentation(("flip",)).plan(50, 64, 32, seed=7, step=3)[:, 0] < 0
    assert 0 < turned_back.sum() < 50
    for plain, found, back in zip(moved, mirrored, turned_back, strict=True):
        assert torch.allclose(plain.flip(2) if back else plain, found, atol=1e-3)


def test_an_unknown_kind_is_the_callers_fault() -> None:
    with pytest.raises(ValueError, match="spin"):
        Augmentation(("flip", "spin"))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_sees_the_same_and_is_not_waited_for() -> None:
    batch = pictures((3, 64, 32))
    there = batch.cuda()
    augmented(there, *AUGMENTS)
    torch.cuda.set_sync_debug_mode("error")
    try:
        found = augmented(there, *AUGMENTS)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert found.stride() == batch.stride()
    assert torch.allclose(found.cpu(), augmented(batch, *AUGMENTS), atol=1e-3)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *((name, name) for name in NAMED_AUGMENTS),
        ("flip", "flip"),
        ("erase, flip", "flip,erase"),
        ("affine,crop", "light"),
        ("erase,jitter,crop,flip", "reid"),
        ("erase,jitter,affine,crop,flip", "flip,crop,affine,jitter,erase"),
    ],
)
def test_one_spelling_of_what_is_done(text: str, expected: str) -> None:
    assert parse_augment(text) == expected
    assert parse_augment(expected) == expected
    Augmentation(augment_kinds(expected))


@pytest.mark.parametrize("text", ["", ",", "flip,", "flip,flip", "none,flip", "light,flip", "Flip", "spin", "light,"])
def test_what_is_no_augmentation(text: str) -> None:
    with pytest.raises(UsageError, match="none, light, reid, or a list out of flip,crop,affine,jitter,erase") as error:
        parse_augment(text)
    assert repr(text) in str(error.value)


def test_kinds_of_names() -> None:
    assert augment_kinds("none") == ()
    assert augment_kinds("light") == ("crop", "affine")
    assert augment_kinds("reid") == ("flip", "crop", "jitter", "erase")
    assert augment_kinds("flip,erase") == ("flip", "erase")
