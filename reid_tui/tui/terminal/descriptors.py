"""While the screen is up, file descriptors 1 and 2 lead to a log: native code that writes there must miss the screen.

Textual gets a duplicate of the terminal. What was written before the run's own log is known is moved there.
"""

from __future__ import annotations

import codecs
import io
import logging
import os
import sys
import tempfile
import unicodedata
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from _typeshed import ReadableBuffer

_ERRORS: Final = "reid-tui-ascii"
_LOOK_ALIKES: Final = {
    ord(character): alike
    for characters, alike in (
        ("─━╸╺╾╼═▁▂", "-"),
        ("│┃║┊▏▎▍▌▐▕▋▊▉", "|"),
        ("╭╮╰╯┌┐└┘├┤┬┴┼╔╗╚╝┏┓┗┛", "+"),
        ("█▄▀■", "#"),
        ("▔", "-"),
        ("●○•", "*"),
        ("·…", "."),
        ("▲↑", "^"),
        ("▼↓", "v"),
        ("▶→", ">"),
        ("◀←", "<"),
        ("–—−", "-"),  # noqa: RUF001
        ("′", "'"),  # noqa: RUF001
        ("×✗", "x"),  # noqa: RUF001
        ("✓", "v"),
    )
    for character in characters
}


class Descriptors:
    """Where fds 1 and 2 lead to, while `redirected`."""

    def __init__(self, screen: IO[str], sent: Sent, saved: Iterable[int]) -> None:
        self.screen = screen
        """The terminal."""
        self.sent = sent
        self._saved = tuple(saved)
        self._spool = _spool()
        self._point_at(self._spool.fileno())

    def terminal(self) -> tuple[int, ...]:
        """Every descriptor that leads, or will lead again, to the terminal."""
        return (self.screen.fileno(), *self._saved)

    def follow(self, path: Path) -> None:
        """Send fds 1 and 2 to the end of this file from now on, and move there what has been written so far.

        A file that cannot be opened changes nothing; what a full disk does not take is lost.
        """
        try:
            log = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        except OSError:
            logging.getLogger(__name__).exception("cannot open the run's log")
            return
        try:
            self._point_at(log)
            self._spool.seek(0)
            if written := self._spool.read():
                with suppress(OSError):
                    os.write(log, written)
        finally:
            os.close(log)

    def written(self) -> str:
        """What came before any log was followed."""
        self._spool.seek(0)
        return self._spool.read().decode(errors="replace")

    def close(self) -> None:
        """Forget the spool."""
        self._spool.close()

    @staticmethod
    def _point_at(target: int) -> None:
        for name in (1, 2):
            os.dup2(target, name)


def _spool() -> IO[bytes]:
    """A file without a name; where no disk has room for one nothing is kept, and the screen is there all the same."""
    try:
        return tempfile.TemporaryFile()
    except OSError:
        return Path(os.devnull).open("r+b", buffering=0)


def _not_logged_by_the_run(record: logging.LogRecord) -> bool:
    """While a run is open, the package's own messages go to its log by themselves."""
    package = logging.getLogger("reid_tui")
    own = any(isinstance(handler, logging.FileHandler) for handler in package.handlers)
    return not (own and record.name.split(".")[0] == package.name)


class Sent(io.FileIO):
    """The terminal's bytes, counted as it takes them."""

    total = 0

    def write(self, data: ReadableBuffer, /) -> int | None:  # type: ignore[override]
        """As a file does."""
        taken = super().write(data)
        self.total += taken or 0
        return taken


class _Screen(io.TextIOWrapper):
    """The terminal; writing to one that has gone away is not an error, or Textual's writer would die of it."""

    def write(self, text: str, /) -> int:
        with suppress(OSError):
            return super().write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            super().flush()


class _Stderr(io.TextIOBase):
    """Writes to whatever fd 2 leads to at the moment."""

    def write(self, text: str, /) -> int:
        with suppress(OSError):  # a full disk costs the line
            os.write(2, text.encode(errors="backslashreplace"))
        return len(text)


@contextmanager
def redirected(*, ascii_only: bool) -> Iterator[Descriptors]:
    """Keep the terminal for the screen alone; warnings and logging go to the log too.

    Args:
        ascii_only: replace every other character on its way to the terminal by one that looks alike.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    saved = {name: os.dup(name) for name in (1, 2)}
    sent = Sent(os.dup(2), "wb")
    screen = _opened(sent, ascii_only=ascii_only)
    descriptors = Descriptors(screen, sent, saved.values())
    before = sys.__stdout__, sys.__stderr__
    # Textual's driver writes to the one and asks the other for the terminal's size.
    sys.__stdout__ = sys.__stderr__ = screen  # type: ignore[misc, assignment]
    handler = logging.StreamHandler(_Stderr())
    handler.addFilter(_not_logged_by_the_run)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.getLogger().addHandler(handler)
    logging.captureWarnings(capture=True)
    try:
        yield descriptors
    finally:
        logging.captureWarnings(capture=False)
        logging.getLogger().removeHandler(handler)
        sys.__stdout__, sys.__stderr__ = before  # type: ignore[misc]
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError):  # what a full disk does not take
                stream.flush()
        for name, descriptor in saved.items():
            os.dup2(descriptor, name)
            os.close(descriptor)
        screen.close()
        descriptors.close()


def _opened(sent: Sent, *, ascii_only: bool) -> IO[str]:
    codecs.register_error(_ERRORS, _alike)
    encoding, errors = ("ascii", _ERRORS) if ascii_only else ("utf-8", "replace")
    return _Screen(io.BufferedWriter(sent), encoding=encoding, errors=errors, write_through=False)


def _alike(error: UnicodeError) -> tuple[str, int]:
    """As many ASCII characters as the original is wide."""
    assert isinstance(error, UnicodeEncodeError)
    text = error.object[error.start : error.end].translate(_LOOK_ALIKES)
    return "".join(_plain(character) for character in text), error.end


def _plain(character: str) -> str:
    if character.isascii():
        return character
    base = unicodedata.normalize("NFKD", character)[0]
    if base.isascii() and base.isprintable():
        return base
    if unicodedata.combining(character):
        return ""
    return "??" if unicodedata.east_asian_width(character) in "WF" else "?"
