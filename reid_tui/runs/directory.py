"""The folder of one run: where its files lie, how it is made and found again."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from reid_tui.errors import RunError, advice, why
from reid_tui.files import PRIVATE_FOLDER, is_closed, owner, remove_temporaries, write_whole
from reid_tui.runs.log_end import parsed, read_piece
from reid_tui.runs.start import STAMP, stamped, started

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LATEST: Final = "latest"
_LARGEST_CONFIG: Final = 2**20
_NAMED: Final = 3
"""Of several runs by one name, so many are told."""
_PROBE: Final = 4096
"""Bytes: a full disk takes a file without any."""


@dataclass(frozen=True, slots=True)
class RunDirectory:
    """Paths of a run. Files are 0600, folders 0700."""

    path: Path

    @property
    def name(self) -> str:
        """By which `--resume` finds it."""
        return self.path.name

    @property
    def config(self) -> Path:
        """What the run was started with, every value resolved."""
        return self.path / "config.json"

    @property
    def events(self) -> Path:
        """One JSON event a line."""
        return self.path / "events.jsonl"

    @property
    def log(self) -> Path:
        """Tracebacks, warnings and what native code wrote."""
        return self.path / "run.log"

    @property
    def lock(self) -> Path:
        """Held by the process that writes the run."""
        return self.path / "lock"

    @property
    def checkpoints(self) -> Path:
        """Tensors and manifests."""
        return self.path / "checkpoints"

    @property
    def embeddings(self) -> Path:
        """Snapshots of the map."""
        return self.path / "embeddings"

    @property
    def closed(self) -> bool:
        """Whether we lack the right to read it, as with a run of another user."""
        return any(is_closed(path) for path in (self.config, self.events, self.lock))

    def make_folders(self) -> None:
        """Make what is missing of its folders.

        Raises:
            OSError: one cannot be made.
        """
        for folder in (self.path, self.checkpoints, self.embeddings):
            folder.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)

    def write_config(self, content: Mapping[str, Any]) -> None:
        """Write config.json.

        Raises:
            OSError: it cannot be written.
        """
        write_whole(self.config, json.dumps(content, indent=2).encode() + b"\n")

    def read_config(self) -> dict[str, Any]:
        """What config.json says, as it stands there; nothing where it cannot be read."""
        try:
            return parsed(read_piece(self.config, _LARGEST_CONFIG)) or {}
        except OSError:
            return {}


def check_writable(runs_dir: Path) -> None:
    """Find out early whether runs can be kept there; leaves nothing behind.

    Raises:
        RunError: they cannot.
    """
    for folder in _checked(runs_dir):
        with contextlib.suppress(OSError):  # somebody else has put something there meanwhile
            folder.rmdir()


def _checked(runs_dir: Path) -> list[Path]:
    """Make the folder and write to it; returns the folders that are new, the deepest first."""
    probe = runs_dir / f".writable-{os.getpid()}"
    made: list[Path] = []
    try:
        for folder in _missing(runs_dir):
            with contextlib.suppress(FileExistsError):  # somebody else was faster
                folder.mkdir(PRIVATE_FOLDER if folder == runs_dir else 0o777)
                made.insert(0, folder)
        write_whole(probe, bytes(_PROBE), durable=False)
        probe.unlink()
    except (OSError, ValueError) as error:
        for folder in made:
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise RunError(
            f"cannot write to the runs folder {str(runs_dir)!r}: {why(error)}; name another with --runs-dir"
        ) from error
    return made


def _missing(folder: Path) -> list[Path]:
    """A folder and those above it that are not there, the highest first; a link that leads nowhere is there."""
    missing: list[Path] = []
    while folder != folder.parent and not os.path.lexists(folder):
        missing.insert(0, folder)
        folder = folder.parent
    return missing


def create_run(runs_dir: Path, name: str) -> RunDirectory:
    """Make the folder of a new run, `<YYYYmmdd-HHMMSS>-<name>`, with the next second that is free.

    Raises:
        RunError: the runs folder cannot be written to.
    """
    _checked(runs_dir)
    moment = int(time.time())
    while True:
        run = RunDirectory(runs_dir / f"{time.strftime(STAMP, time.localtime(moment))}-{name}")
        try:
            run.path.mkdir(mode=PRIVATE_FOLDER)
            run.make_folders()
        except FileExistsError:
            moment += 1
        except OSError as error:
            discard_empty(run)
            raise RunError(f"cannot make the run's folder {str(run.path)!r}: {advice(error, '')}") from error
        else:
            return run


def discard_empty(run: RunDirectory) -> None:
    """Remove the folder of a new run that never began: no file in it but the lock has content."""
    files = [path for path in run.path.rglob("*") if path.is_file()]
    if not any(path.stat().st_size for path in files if path != run.lock):
        shutil.rmtree(run.path, ignore_errors=True)


def run_folders(runs_dir: Path) -> list[Path]:
    """The folders of all runs, the one started last first; none where there is no runs folder.

    One with a lock alone is of a process that was killed before it wrote more. Those of other users that we may not
    look into are known by their names.

    Raises:
        RunError: it is no folder, or cannot be read.
    """
    try:
        folders = [runs_dir / name for name in os.listdir(runs_dir)]  # noqa: PTH208
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise RunError(
            f"cannot read the runs folder {str(runs_dir)!r}: {why(error)}; name another with --runs-dir"
        ) from error
    found = [
        folder
        for folder in folders
        if os.path.lexists(RunDirectory(folder).config)
        or os.path.lexists(RunDirectory(folder).lock)
        or (stamped(folder.name) and is_closed(RunDirectory(folder).config))
    ]
    return sorted(found, key=lambda folder: (started(RunDirectory(folder)), folder.name), reverse=True)


def locate_run(spec: str, runs_dir: Path, *, begun: bool = True) -> Path:
    """Find a run by path, by name (whole, or what follows the time stamp), or the newest as `latest`; change nothing.

    `DIR/latest` is the newest in another runs folder, where nothing of that name lies.

    Args:
        spec: which one.
        runs_dir: where names are looked for.
        begun: leave out those that still load, or ended while they did.

    Raises:
        RunError: there is none, several by that name, none that we may read, or the runs folder cannot be read.
    """
    folder, _, name = spec.rpartition("/")
    if folder and name == LATEST and not os.path.lexists(spec):
        return locate_run(LATEST, Path(folder), begun=begun)
    if spec not in ("", LATEST) and RunDirectory(Path(spec)).closed:
        raise _closed(Path(spec))
    if spec not in ("", LATEST) and _is_run(Path(spec), begun=begun):
        return Path(spec)
    folders = run_folders(runs_dir)
    known = [path for path in folders if _is_run(path, begun=begun) and not RunDirectory(path).closed]
    if spec == LATEST:
        if not known:
            raise RunError(none_to_see(runs_dir, folders))
        return known[0]
    matches = [path for path in known if path.name == spec] or [path for path in known if _short(path) == spec]
    if not matches:
        for path in folders:
            if spec in (path.name, _short(path)) and RunDirectory(path).closed:
                raise _closed(path)
    if len(matches) == 1:
        return matches[0]
    if matches:
        names = ", ".join(path.name for path in matches[:_NAMED]) + (", …" if len(matches) > _NAMED else "")
        raise RunError(f"{len(matches)} runs are named {spec!r}; say which, the newest is the first: {names}")
    raise RunError(f"no run {spec!r} in {str(runs_dir)!r}; name a run's folder, its name, or 'latest'")


def runs_named(name: str, runs_dir: Path) -> list[Path]:
    """All runs of ours by a name, whole or behind the time stamp, the one started last first, those that load too.

    Raises:
        RunError: the runs folder cannot be read.
    """
    named = [path for path in run_folders(runs_dir) if name in (path.name, _short(path))]
    return [path for path in named if not RunDirectory(path).closed]


def none_to_see(runs_dir: Path, folders: Sequence[Path]) -> str:
    """Why there is no run that we can take, among those that there are, and a remedy."""
    if any(RunDirectory(path).closed for path in folders):
        return f"no run in {str(runs_dir)!r} is readable for you; ask whoever owns them, or name --runs-dir"
    return f"no run in {str(runs_dir)!r} yet; start one with 'reid-tui train' or name --runs-dir"


def _closed(path: Path) -> RunError:
    return RunError(
        f"the run {str(path)!r} is not readable for you; it belongs to {owner(path)}, ask for the right to read it"
    )


def _short(path: Path) -> str:
    """What follows the time stamp."""
    return path.name.split("-", 2)[-1]


def _is_run(folder: Path, *, begun: bool) -> bool:
    marks = ("config.json",) if begun else ("config.json", "lock")
    return any(os.path.isfile(folder / mark) for mark in marks)  # noqa: PTH113 - unlike Path's, False where too long


def tidy(run: RunDirectory) -> None:
    """Remove what a killed process left half written or half removed.

    Only for who holds the run's lock: others may be writing.

    Raises:
        OSError: a folder cannot be written to.
    """
    run.make_folders()
    for folder in (run.path, run.checkpoints, run.embeddings):
        remove_temporaries(folder)
    for path in run.checkpoints.glob("step-*.safetensors"):
        if not os.path.lexists(path.with_suffix(".json")):
            path.unlink(missing_ok=True)
