"""The files that an evaluation is saved in."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from reid_tui.errors import UsageError
from reid_tui.text import printable
from reid_tui.using.output import check_new, write_new

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from reid_tui.using.evaluating import Evaluated


def as_json(found: Evaluated) -> str:
    """One object; no terminal takes anything in it for a command."""
    from reid_tui.using.eval_data import as_object

    return json.dumps(as_object(found), indent=2, allow_nan=False).replace("\x7f", "\\u007f")


def _json(found: Evaluated) -> bytes:
    return as_json(found).encode() + b"\n"


def _markdown(found: Evaluated) -> bytes:
    from reid_tui.using.eval_data import as_markdown

    return as_markdown(found).encode()


def _png(found: Evaluated) -> bytes:
    from reid_tui.using.eval_png import as_png

    return as_png(found)


_WRITERS: Final[dict[str, Callable[[Evaluated], bytes]]] = {".md": _markdown, ".json": _json, ".png": _png}


def check_files(paths: Sequence[Path], *, force: bool) -> None:
    """Refuse early what cannot be written.

    Raises:
        UsageError: another ending, no such folder, a file is there already, or two are one.
    """
    for number, path in enumerate(paths):
        check_new([path], list(_WRITERS), force=force, option="--save")
        if path in paths[:number]:
            raise UsageError(f"--save {printable(path, 400)} is given twice; leave one out")


def save(found: Evaluated, path: Path) -> None:
    """Write a file, whole or not at all.

    Raises:
        ReidTuiError: it cannot be written.
    """
    write_new({path: _WRITERS[path.suffix](found)})
