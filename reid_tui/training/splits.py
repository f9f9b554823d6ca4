"""The splits that a run is scored on: which counts, and which chooses. Loads without numpy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

BY_WORTH: Final = ("unseen", "test", "seen")
"""Those that a run reports on; of the first there is it reports before all else."""
TRAIN: Final = "train"
"""What is trained on: never scored, but shown where somebody asks for it."""
VALIDATION: Final = "validation"
"""The split that chooses a checkpoint, where there is one, and reports nothing."""


def main_split(splits: Iterable[str]) -> str:
    """The split that counts most among some: unseen, test, seen, else the last; `test` where there is none."""
    found = list(splits)
    return next((split for split in BY_WORTH if split in found), found[-1] if found else "test")


def chooses(splits: Iterable[str]) -> str:
    """The split among some whose mAP says which checkpoint is the best."""
    found = list(splits)
    return VALIDATION if VALIDATION in found else main_split(found)
