"""Where a run's control socket lies, and who is at its other end. Unix sockets only."""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import stat
import struct
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reid_tui.errors import RunError
from reid_tui.files import PRIVATE_FILE, PRIVATE_FOLDER
from reid_tui.runs.lock import told_socket

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reid_tui.runs.directory import RunDirectory

SOCKET_NAME: Final = "control.sock"
LONGEST_PATH: Final = 100
"""Bytes; the kernel takes 108 with a closing zero, 104 on macOS."""
BACKLOG: Final = 16
_KNOWS_PEERS: Final = sys.platform == "linux"
"""Elsewhere SO_PEERCRED is missing, or lays its fields out in another order."""
_UCRED: Final = struct.Struct("iII")


@dataclass(frozen=True, slots=True)
class Peer:
    """The process that made a connection, as the kernel knows it."""

    uid: int
    pid: int
    """0 where the kernel cannot say, as for a process in another container."""


def listen(run: RunDirectory) -> tuple[socket.socket, Path]:
    """Listen in the run's folder, or in a private folder with a shorter path where that cannot be.

    A socket file that lies there already is replaced. Only for who holds the run's lock: nobody else listens then.

    Returns:
        The listening socket, which does not block, and the absolute path of its file, mode 0600.

    Raises:
        RunError: nowhere, each place with its reason; or this system would not say who connects.
    """
    if not _KNOWS_PEERS:
        raise RunError(
            f"no control socket: {sys.platform} does not say which user connects, 'reid-tui attach' only looks"
        )
    reasons = []
    for path in _places(run):
        try:
            if path.parent != run.path.resolve():
                _make_private(path.parent)
            return _bind(path), path
        except OSError as error:
            reasons.append(f"{str(path)!r}: {error.strerror or error}")
    raise RunError(f"no control socket, so 'reid-tui attach' cannot steer this run: {'; '.join(reasons)}")


def peer_of(connection: socket.socket) -> Peer:
    """Ask the kernel who connected.

    Raises:
        OSError: it cannot say.
    """
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    pid, uid, _ = _UCRED.unpack(credentials)
    return Peer(uid=uid, pid=pid)


def commander(run: RunDirectory) -> int:
    """The user whose commands a run takes: whoever made its socket, or its lock where there is none."""
    told = told_socket(run.lock)
    # A private folder of another user hides what is in it, not whose it is.
    for path in (run.lock,) if told is None else (told, told.parent):
        with contextlib.suppress(OSError):
            return path.lstat().st_uid
    return os.geteuid()


def _places(run: RunDirectory) -> Iterator[Path]:
    """The run's folder, then private ones with short paths."""
    folder = run.path.resolve()
    yield folder / SOCKET_NAME
    # $XDG_RUNTIME_DIR comes last: it goes with the user's last login, and a run outlives its connection.
    name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16] + ".sock"
    with contextlib.suppress(OSError):  # no folder for temporary files is to be had
        yield Path(tempfile.gettempdir()).resolve() / f"reid-tui-{os.geteuid()}" / name
    runtime = Path(os.environ.get("XDG_RUNTIME_DIR", ""))
    if runtime.is_absolute():
        yield runtime / "reid-tui" / name


def _make_private(folder: Path) -> None:
    """Make sure of a folder that nobody else can reach into.

    Raises:
        OSError: it cannot be made, or what is there is not one.
    """
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=PRIVATE_FOLDER)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise OSError(f"{str(folder)!r} is not a real folder; remove it")
    if found.st_uid != os.geteuid():
        raise OSError(f"{str(folder)!r} belongs to user {found.st_uid}")
    if stat.S_IMODE(found.st_mode) & 0o777 != PRIVATE_FOLDER:
        raise OSError(f"{str(folder)!r} is open to others; run 'chmod 700' on it")


def _bind(path: Path) -> socket.socket:
    if len(os.fsencode(path)) > LONGEST_PATH:
        raise OSError(f"the path is longer than {LONGEST_PATH} bytes")
    with contextlib.suppress(FileNotFoundError):
        if stat.S_ISSOCK(path.lstat().st_mode):
            path.unlink()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.setblocking(False)
    with contextlib.ExitStack() as undo:
        undo.callback(listener.close)
        listener.bind(str(path))
        undo.callback(path.unlink, missing_ok=True)
        # Before `listen` nobody can connect, so no moment is left in which the umask decides.
        path.chmod(PRIVATE_FILE)
        listener.listen(BACKLOG)
        undo.pop_all()
    return listener
