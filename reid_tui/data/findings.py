"""What is noticed about a person's own images before they are trained on."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reid_tui.text import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

SHOWN: Final = 3
"""So many examples stand beside a count."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One kind of thing, how often it was found, and the first of them."""

    code: str
    """lower_snake; the same in JSON and in the log's warnings."""
    text: str
    """What it is and what follows from it, as a clause behind the count: `identities have one image`."""
    count: int
    """>= 1."""
    examples: tuple[str, ...] = ()
    """At most `SHOWN`, as their source spells them: not safe to print."""
    grave: bool = False
    """Whether scores mean less than they seem to while it stands."""


_ONE: Final = {"are": "is", "have": "has"}
_NOUN: Final = re.compile(r"^((?:\w+ )?)(identiti|picture|row|file|folder|image|link)(es|s)\b")
_VERB: Final = re.compile(r"\b(are|have|differ|lie|stand|lead)\b")


def agreeing(finding: Finding) -> str:
    """Its count and its text, in the singular where it is one."""
    text = finding.text
    if finding.count == 1 and (noun := _NOUN.match(text)):
        one = {"identiti": "identity"}.get(noun[2], noun[2])
        rest = _VERB.sub(lambda verb: _ONE.get(verb[1], f"{verb[1]}s"), text[noun.end() :])
        text = f"{noun[1]}{one}{rest}"
    return f"{finding.count:,} {text}"


def sentence(finding: Finding) -> str:
    """A finding as one printable line."""
    examples = f": {some(finding.examples, finding.count)}" if finding.examples else ""
    return printable(f"{agreeing(finding)}{examples}", 500)


def some(names: Sequence[str], count: int | None = None) -> str:
    """The first names of a number of them, printable."""
    shown = ", ".join(printable(name, 60) for name in names[:SHOWN])
    return shown if (count or len(names)) <= SHOWN else f"{shown}, ..."
