"""The words by which folders and tables say what a picture is for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reid_tui.data.pool import TRAIN, UNDIVIDED, VALIDATION
from reid_tui.evaluation.labels import GALLERY, QUERY

if TYPE_CHECKING:
    from collections.abc import Collection

SPLITS: Final = {
    "": "",
    "train": "train",
    "training": "train",
    "query": "query",
    "gallery": "gallery",
    "val": "val",
    "validation": "val",
    "test": "test",
}
"""Lower case; none is no split."""
_ROLES: Final = {
    "": UNDIVIDED,
    "train": TRAIN,
    "query": QUERY,
    "gallery": GALLERY,
    "val": VALIDATION,
    "test": QUERY + GALLERY,
}


def roles(found: Collection[str]) -> dict[str, int]:
    """Roles by split, given all splits of a source: `val` is the test of one that has no other."""
    test = {"test", "query", "gallery"} & set(found)
    return _ROLES if test else {**_ROLES, "val": _ROLES["test"]}
