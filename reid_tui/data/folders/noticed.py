"""What is noticed while files are listed: one table of the kinds, and how names become findings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reid_tui.data.findings import SHOWN, Finding, agreeing
from reid_tui.errors import DataError
from reid_tui.text import printable

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

KINDS: Final[dict[str, tuple[str, bool]]] = {
    "links_outside": ("links lead out of the folder and are left out", False),
    "folder_links": ("links to folders are left out: what they lead to is read at its own place", False),
    "not_regular": ("entries that are no files (pipes, sockets, devices, links to nothing) are left out", False),
    "unreadable_folders": ("folders cannot be read: what lies in them is missing", True),
    "outside_identities": ("pictures lie outside any identity's folder and are left out", False),
    "names_differ_in_case": ("identities differ from another one only in case, accents' encoding or spaces", True),
    "unread_names": ("pictures have a name that tells no identity and camera, and are left out", False),
    "junk": ("pictures are junk (identity -1) and left out", False),
    "distractors": ("gallery pictures are distractors: they show nobody who is asked for", False),
    "val_left_out": ("pictures of list_val.txt are left out, because published results do not train on them", False),
    "missing_files": ("named pictures are missing or no regular files", False),
    "duplicate_rows": ("rows say what an earlier one says and are left out", False),
    "ignored_rows": ("rows are left out, as the split 'ignore' says", False),
    "other_files": ("files are passed over: they have no picture's ending, or are hidden", False),
}
"""Code: what follows the count, and whether it is grave. In the order in which they are told."""
MOST_MISSING: Final = 0.05


def findings(names: Mapping[str, Collection[str]]) -> tuple[Finding, ...]:
    """One for each kind that has names; the first names are its examples.

    Args:
        names: by code of `KINDS`.
    """
    return tuple(
        Finding(code, text, len(names[code]), tuple(names[code])[:SHOWN], grave)
        for code, (text, grave) in KINDS.items()
        if names.get(code)
    )


def counted(count: int, thing: str) -> str:
    """A number and what it counts."""
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


def shown(names: Sequence[str]) -> str:
    """The first of them, quoted and safe to print."""
    more = ", ..." if len(names) > SHOWN else ""
    return ", ".join(f"'{printable(name)}'" for name in names[:SHOWN]) + more


def told(found: Sequence[Finding]) -> str:
    """Counts in one clause; empty where nothing was found."""
    return ", ".join(map(agreeing, found))


def refuse_many_missing(missing: Sequence[str], named: int, where: str, remedy: str) -> None:
    """Refuse a list most of whose pictures may be elsewhere.

    Raises:
        DataError: more than 5 % are missing.
    """
    if len(missing) > MOST_MISSING * named:
        raise DataError(
            f"{where}: {len(missing):,} of {named:,} named pictures are missing or no regular files, "
            f"first {shown(missing)}; {remedy}"
        )
