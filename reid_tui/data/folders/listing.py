"""What a source says before any picture is opened: which files there are, whom each shows, and what it is for."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

    from reid_tui.data.findings import Finding


class Box(NamedTuple):
    """A part of a picture, in pixels from its upper left corner."""

    x: int
    y: int
    width: int
    height: int


class Picture(NamedTuple):
    """One image to be: a file, or a part of one."""

    path: str
    """Below the listing's root, or absolute. Bytes that are no UTF-8 are surrogates, as `os.fsdecode` makes them."""
    identity: str | None
    """As the source spells it; None for a distractor."""
    camera: str | None
    role: int
    """See `data.pool`."""
    size: int
    """Bytes of the file."""
    changed_ns: int
    """Its time of modification."""
    box: Box | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """All pictures of a source, in the order in which they are kept: by path, or by row of a table."""

    spec: str
    """Canonical, such as `folder:/data/crops`: opens the same from anywhere."""
    name: str
    """Of the folder or table, made fit to name a run."""
    source: str
    """One printable line: what it is and where."""
    root: Path
    """Absolute; relative paths start here."""
    pictures: tuple[Picture, ...]
    findings: tuple[Finding, ...] = ()
    upright: bool = False
    """Whether it is a set of people, whose pictures are twice as tall as wide."""


def run_name(text: str, otherwise: str) -> str:
    """What may stand in a run's name of the name of a folder or table; `otherwise` where nothing may."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9._-]+", "-", plain).lstrip("._-")[:64].rstrip("-") or otherwise
