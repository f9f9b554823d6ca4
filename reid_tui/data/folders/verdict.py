"""What became of a listing's pictures, and whether so many are missing that nothing should be trained on the rest."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reid_tui.data.findings import SHOWN, Finding
from reid_tui.data.folders import index
from reid_tui.data.folders.decode import LARGEST_PIXELS
from reid_tui.errors import DataError
from reid_tui.files import write_whole
from reid_tui.text import printable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from reid_tui.data.dataset import UInt8Array
    from reid_tui.data.folders.fill import Generation
    from reid_tui.data.folders.listing import Listing

MOST_UNREADABLE: Final = 0.05
"""Share of the pictures that may be missing."""
LIST_NAME: Final = "unreadable.txt"


@dataclass(frozen=True, slots=True, eq=False)
class Pixels:
    """All pictures of a listing, N in its order, as C, H, W."""

    images: UInt8Array
    """(N, C, H, W), zeros where there is no picture; may be mapped. C is 1 where none has colour, else 3."""
    digests: UInt8Array
    """(N, 16) of the pixels: equal where they are, also in a grey picture and in one with equal channels."""
    unreadable: dict[int, str]
    """Why there is no picture, by row."""
    findings: tuple[Finding, ...]


def judged(
    listing: Listing, made: Generation, folder: Path | None, *findings: Finding, most: float = MOST_UNREADABLE
) -> Pixels:
    """Say what is missing, and list it in a file.

    Args:
        listing: the pictures.
        made: what was found of them.
        folder: in which the file is written; None: nowhere.
        findings: that are known already.
        most: share of the pictures that may be missing.

    Raises:
        DataError: no picture could be read, or more than `most` could not.
    """
    reasons = made.index.reasons
    names = {row: listing.pictures[row].path for row in sorted(reasons)}
    listed = _listed(folder, [f"{json.dumps(name)[1:-1]}\t{reasons[row]}\n" for row, name in names.items()])
    total = len(listing.pictures)
    if len(names) == total or len(names) > most * total:
        which = "none" if len(names) == total else f"{len(names):,}"
        allowed = "" if len(names) == total else f", and at most {most:.0%} may be left out"
        first = "; ".join(f"{printable(name, 80)}: {reasons[row]}" for row, name in [*names.items()][:SHOWN])
        can = "can" if len(names) == total else "cannot"
        raise DataError(
            f"{which} of the {total:,} pictures {can} be read{allowed} ({first}{listed}); mend or remove them"
        )
    large = [name for row, name in names.items() if made.index.states[row] == index.TOO_LARGE]
    other = [name for row, name in names.items() if made.index.states[row] != index.TOO_LARGE]
    unreadable = _finding("unreadable", f"pictures cannot be read and are left out{listed}", other)
    too_large = f"pictures have more than {LARGEST_PIXELS // 10**6} megapixels and are left out{listed}"
    found = (*unreadable, *_finding("too_large", too_large, large), *findings)
    return Pixels(made.images, made.index.digests, reasons, found)


def _finding(code: str, text: str, names: Sequence[str]) -> list[Finding]:
    return [Finding(code, text, len(names), tuple(names[:SHOWN]), grave=True)] if names else []


def _listed(folder: Path | None, lines: Sequence[str]) -> str:
    """Keep the list, which may be an earlier one's, and give the words that name it; none where there is none."""
    if folder is None:
        return ""
    path = folder / LIST_NAME
    if not lines:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
        return ""
    with contextlib.suppress(OSError):
        write_whole(path, "".join(lines).encode(), durable=False)
    return f"; {printable(path, 400)} lists them" if path.is_file() else ""
