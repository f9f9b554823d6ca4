"""The commands that are measured, each in a process of its own, and what they leave behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from reid_tui.bench.rates import WARM_UP_STEPS
from reid_tui.bench.screen import Screen
from reid_tui.bench.terminal import COLUMNS, ROWS, Terminal
from reid_tui.errors import OK, ReidTuiError
from reid_tui.runs.log import read_events
from reid_tui.text import printable
from reid_tui.training.events import RunStarted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from reid_tui.training.events import AnyEvent

REID_TUI: Final = (sys.executable, "-m", "reid_tui")
PLAIN: Final = (sys.executable, "-m", "reid_tui.bench.plain")
_BASE_TIMEOUT_S: Final = 600.0
_SLOWEST_STEP_S: Final = 1.0
LONGEST_START_S: Final = 300.0


@dataclass(frozen=True, slots=True)
class Setup:
    """What all measurements share."""

    rounds: int
    steps: int
    data: str
    data_dir: str | None
    folder: Path
    """Temporary; the runs go below it."""
    talk: Callable[[str], None]
    """Told in a line what is measured next."""

    @property
    def data_options(self) -> tuple[str, ...]:
        """As the command line takes them."""
        return ("--data", self.data, *(("--data-dir", self.data_dir) if self.data_dir else ()))

    @property
    def timeout_s(self) -> float:
        """After which a run of `steps` is given up."""
        return _BASE_TIMEOUT_S + self.steps * _SLOWEST_STEP_S

    def run_options(self, runs_dir: Path) -> tuple[str, ...]:
        """For a run of `steps` that goes below `runs_dir`."""
        return (*self.data_options, "--steps", str(self.steps), "--runs-dir", str(runs_dir))


def run(
    command: Sequence[str], timeout_s: float, *, keep_output: bool = True, threads: int | None = None
) -> tuple[str, str]:
    """Run a command without a terminal, where asked with so many threads of OpenMP.

    Returns:
        Its stdout (empty where it is not kept) and stderr.

    Raises:
        ReidTuiError: it failed or took too long; with the last line it said.
    """
    try:
        done = subprocess.run(
            command,
            env=os.environ if threads is None else {**os.environ, "OMP_NUM_THREADS": str(threads)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if keep_output else subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=timeout_s,
            check=False,
            text=True,
            errors="replace",
        )
    except subprocess.TimeoutExpired as error:
        raise ReidTuiError(f"{_name(command)} did not end within {timeout_s:.0f} s; take fewer --steps") from error
    if done.returncode != OK:
        raise _failure(command, done.returncode, done.stderr.splitlines())
    return done.stdout or "", done.stderr


def run_plain(setup: Setup) -> dict[str, Any]:
    """Run the plain loop.

    Returns:
        Its answer: pairs_per_s, batch_size, losses, device.

    Raises:
        ReidTuiError: it failed.
    """
    output, _ = run((*PLAIN, *setup.data_options, "--steps", str(setup.steps)), setup.timeout_s)
    answer: dict[str, Any] = json.loads(output)
    return answer


def run_headless(setup: Setup, name: str, *options: str, threads: int | None = None) -> list[AnyEvent]:
    """Train for so many steps without a screen, events going to stdout as they would to a program.

    Raises:
        ReidTuiError: it failed, or left no log.
    """
    return run_preset(setup, name, "--steps", str(setup.steps), *options, threads=threads)


def run_preset(setup: Setup, name: str, *options: str, threads: int | None = None) -> list[AnyEvent]:
    """Train as `run_headless`, for as long as the options say.

    Args:
        setup: of the measurement.
        name: of the folder for the run.
        options: of the run.
        threads: of each of its processes; None where it decides itself.

    Raises:
        ReidTuiError: it failed, or left no log.
    """
    runs_dir = setup.folder / name
    command = (*REID_TUI, "train", "--json", *setup.data_options, *options, "--runs-dir", str(runs_dir))
    run(command, setup.timeout_s, keep_output=False, threads=threads)
    return events_of(runs_dir)


def run_dashboard(
    setup: Setup, name: str, columns: int = COLUMNS, rows: int = ROWS, keys: bytes = b""
) -> list[AnyEvent]:
    """Train in a terminal that is read all the time.

    Args:
        setup: what is trained.
        name: of the runs' folder.
        columns: of the terminal.
        rows: of the terminal.
        keys: pressed as soon as it trains.

    Raises:
        ReidTuiError: it failed, or left no log.
    """
    runs_dir = setup.folder / name
    command = (*REID_TUI, *setup.run_options(runs_dir), "--exit-when-done")
    with Terminal(command, columns, rows) as terminal:
        if keys:
            until_training(terminal, runs_dir, steps=1)
        for key in keys:
            terminal.press(bytes([key]))
        try:
            code = terminal.wait(setup.timeout_s)
        except subprocess.TimeoutExpired as error:
            raise ReidTuiError(
                f"{_name(command)} did not end within {setup.timeout_s:.0f} s; take fewer --steps"
            ) from error
        if code != OK:
            raise _failure(command, code, shown(terminal))
    return events_of(runs_dir)


def shown(terminal: Terminal) -> list[str]:
    """The lines that stand in a terminal."""
    screen = Screen(terminal.columns, terminal.rows)
    for chunk in terminal.chunks:
        screen.feed(chunk.data)
    return screen.lines()


def events_of(runs_dir: Path) -> list[AnyEvent]:
    """All events of the only run in a folder.

    Raises:
        ReidTuiError: there is none.
    """
    logs = list(runs_dir.glob("*/events.jsonl"))
    if len(logs) != 1:
        raise ReidTuiError(f"expected one run in the temporary runs folder, found {len(logs)}")
    return list(read_events(logs[0]))


def until_training(terminal: Terminal, runs_dir: Path, steps: int = WARM_UP_STEPS) -> None:
    """Wait until the only run in a folder has taken its first `steps`.

    Raises:
        ReidTuiError: the command ended before, or took too long.
    """
    deadline = time.monotonic() + LONGEST_START_S
    while time.monotonic() < deadline:
        if not terminal.running:
            raise ReidTuiError(f"the dashboard ended before it trained: {last_line(terminal)}")
        logs = list(runs_dir.glob("*/events.jsonl"))
        if logs and logs[0].read_bytes().count(b'"event":"progress"') >= steps:
            return
        time.sleep(0.25)
    raise ReidTuiError(f"the dashboard did not train within {LONGEST_START_S:.0f} s")


def device_of(events: Sequence[AnyEvent]) -> str:
    """That a run was trained on."""
    return next((event.device for event in events if isinstance(event, RunStarted)), "unknown")


def last_line(terminal: Terminal) -> str:
    """The lowest line in a terminal that is not blank."""
    return next((line.strip() for line in reversed(shown(terminal)) if line.strip()), "no word")


def _name(command: Sequence[str]) -> str:
    return repr(" ".join(("reid-tui" if command[: len(REID_TUI)] == REID_TUI else "the plain loop", *command[3:6])))


def _failure(command: Sequence[str], code: int, lines: Sequence[str]) -> ReidTuiError:
    said = [line.strip() for line in lines if line.strip()]
    return ReidTuiError(
        f"{_name(command)} ended with exit code {code}: {printable(said[-1] if said else 'no word', 400)}"
    )
