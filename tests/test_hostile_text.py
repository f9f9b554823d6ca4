"""Names, paths and messages that try to drive the terminal: shown harmlessly by every command, to the byte."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from typing import Final

import numpy as np
import pytest
from rich.console import Console

from reid_tui.cli import main as cli
from reid_tui.data.idx.sets import SOURCES
from reid_tui.headless import BarTalk
from reid_tui.runs.directory import RunDirectory
from reid_tui.runs.lock import RunLock
from reid_tui.runs.log import EventLog
from reid_tui.text import REPLACEMENT
from reid_tui.training import events as ev
from reid_tui.view.run_state import RunState
from tests.escapes import Sent, taken_apart
from tests.hostile import FOLDER, HOSTILE, MARKUP
from tests.ptys import Pty
from tests.tui.rig import CONFIG

Say = Callable[[str], str]
TEXTUAL: Final = frozenset(
    {
        "0x07",
        "0x0a",
        "0x0d",
        "CSI <u",
        "CSI >u",
        "CSI ?$p",
        "CSI ?h",
        "CSI ?l",
        "CSI H",
        "CSI m",
        "CSI n",
        "CSI t",
        "OSC 11",
        "OSC 2",
        "OSC 22",
    }
)
"""Kinds of sequences that it writes by itself, with our title and our question for the background."""
NOBODY: Final = 2**30
"""No process has this number."""


def as_it_is(text: str) -> str:
    return text


def harmless(text: str) -> str:
    """As wide, without anything to interpret."""
    kept = "".join(c if c.isprintable() else "x" for c in text)
    return kept.translate(str.maketrans("[]", "()"))


def early(say: Say, run: Path) -> Iterator[ev.AnyEvent]:
    """A run that trains, told by somebody with bad intentions."""
    names = tuple(map(say, HOSTILE))
    facts = ev.DatasetFacts(
        say(HOSTILE[0]), 60, 40, len(names), names, say("; ".join(HOSTILE)), unseen=False, choice=say(HOSTILE[3])
    )
    yield ev.PhaseChanged(step=0, phase="loading", detail=say(HOSTILE[1]))
    yield ev.RunStarted(
        step=0,
        schema=1,
        run=str(run),
        device=say(HOSTILE[2]),
        precision=say(HOSTILE[4]),
        dataset=facts,
        model=say(HOSTILE[5]),
        parameters=7,
        batch_size=4,
        pairs=say(HOSTILE[0]),
        margin=1.0,
        lr=1e-3,
        seed=0,
        epochs=2,
        total_steps=40,
        steps_per_epoch=20,
        pid=NOBODY,
        config=CONFIG,
    )
    for step in range(1, 21):
        yield ev.Progress(
            step=step,
            epoch=1,
            loss=1 / step,
            margin=1.0,
            lr=1e-3,
            pairs_seen=4 * step,
            pairs_per_s=100.0,
            wall_s=step / 10,
            skipped=0,
        )
    split = say(HOSTILE[0])
    yield ev.Evaluated(
        step=20,
        epoch=1,
        split=split,
        images=40,
        rank1=0.8,
        map=0.7,
        auc=0.9,
        eer=0.1,
        threshold=0.5,
        d_prime=2.0,
        protocol=say(HOSTILE[1]),
    )
    yield ev.EmbeddingsReady(step=20, split=split, path="embeddings/step-00000020.npz")
    edges = tuple(np.linspace(0, 3, 13).tolist())
    yield ev.DistancesReady(step=20, split=split, edges=edges, same=(9, 5, *[0] * 10), different=(*[0] * 4, *[3] * 8))


def late(say: Say) -> list[ev.AnyEvent]:
    """What comes while somebody looks, so that it is told in toasts too."""
    return [
        ev.MarginChanged(step=20, old=1.0, new=1.1, origin=say(HOSTILE[1])),
        ev.CommandRefused(step=20, command=say(HOSTILE[3]), reason=say(HOSTILE[0])),
        *(ev.Warned(step=20, code=say(text), message=say(text)) for text in HOSTILE),
        ev.CheckpointSaved(step=20, path=say(HOSTILE[1]), seconds=0.1, reason="asked", origin=say(HOSTILE[2])),
        ev.Diverged(step=20, reason=say(HOSTILE[5]), checkpoint=say(HOSTILE[4])),
    ]


class Written:
    """A run's folder as a process that trains would leave it, with the lock held."""

    def __init__(self, runs: Path, say: Say) -> None:
        self.say = say
        self.run = RunDirectory(runs / say(FOLDER))
        for folder in (self.run.path, self.run.checkpoints, self.run.embeddings):
            folder.mkdir(parents=True)
        self.run.write_config({"config": {"data": say(HOSTILE[1])}, "dataset": {"name": say(HOSTILE[0])}})
        rng = np.random.default_rng(0)
        points = rng.normal(0, 1, (40, 2)).astype(np.float32)
        identities = np.arange(40, dtype=np.int64) % len(HOSTILE)
        np.savez(self.run.embeddings / "step-00000020.npz", points=points, identities=identities)
        self._log = EventLog(self.run.events)
        self._seq = 0
        self.tell(*early(say, self.run.path))

    def tell(self, *events: ev.AnyEvent) -> None:
        for event in events:
            self._seq += 1
            self._log.append(dataclasses.replace(event, seq=self._seq, time=1.7e9 + self._seq))

    def close(self) -> None:
        self._log.close()


@contextlib.contextmanager
def written(runs: Path, say: Say) -> Iterator[Written]:
    found = Written(runs, say)
    lock = RunLock(found.run.lock)
    try:
        yield found
    finally:
        lock.release()
        found.close()


def watched(runs: Path, say: Say) -> bytes:
    """All that `attach` wrote to its terminal while the run went wrong before its eyes."""
    with written(runs, say) as run:
        terminal = Pty(runs, "attach", str(run.run.path), "--color", "truecolor", afresh=True)
        try:
            terminal.until_shown(b"TRAINING")
            terminal.until_shown(b"40 images")
            for _ in range(len(HOSTILE) + 1):
                terminal.press("]")
            terminal.press("[2255?")
            terminal.until_shown(b"esc closes")
            terminal.press("\r")
            for event in late(say):
                run.tell(event)
            terminal.until_shown(b"DIVERGED")
            with run.run.log.open("ab") as log:
                log.write(say("\n".join(HOSTILE)).encode(errors="surrogatepass") + b"\nthe last word\n")
            terminal.until_shown(b"last word")
            terminal.press("S")
            terminal.until_shown(b"picture")
            terminal.press("em")
            terminal.until_shown(b"enter sets")
            terminal.press(f"\x1b[200~{say(''.join(HOSTILE[:5]))}\x1b[201~\r")
            terminal.until_shown(b"margin must be")
            run.tell(ev.Failed(step=20, message=say(" ".join(HOSTILE))))
            terminal.until_shown(b"FAILED")
            terminal.press("\x11")
            terminal.process.wait(30)
            terminal._reader.join(10)
            return terminal.shown
        finally:
            terminal.end()


def same_kinds(hostile: bytes, twin: bytes) -> Sent:
    """Assert that a terminal was sent nothing that it would not have been sent with harmless names."""
    told, expected = taken_apart(hostile), taken_apart(twin)
    assert told.kinds == expected.kinds
    assert not told.invisible
    assert all(title.isascii() and title.isprintable() for title in told.titles)
    assert REPLACEMENT in told.text
    return told


@pytest.mark.slow
def test_attach_shows_a_hostile_run_with_no_sequence_of_its_own(tmp_path: Path) -> None:
    hostile, twin = (watched(tmp_path / str(i), say) for i, say in enumerate((as_it_is, harmless)))
    assert MARKUP in same_kinds(hostile, twin).text
    assert taken_apart(twin).kinds <= TEXTUAL


@pytest.mark.slow
def test_what_attach_cannot_read_reaches_no_terminal(tmp_path: Path) -> None:
    with written(tmp_path, harmless) as run:
        run.tell(
            ev.EmbeddingsReady(step=20, split="test", path=f"embeddings/{HOSTILE[5]}"),
            ev.Stopped(step=20, reason="asked", saved=False),
        )
        terminal = Pty(tmp_path, "attach", str(run.run.path), afresh=True)
        try:
            terminal.until_shown(b"STOPPED")
            terminal.press("q")
            assert terminal.process.wait(30) == 0
            terminal._reader.join(10)
        finally:
            terminal.end()
    assert taken_apart(terminal.shown).kinds <= TEXTUAL
    assert b"cannot be read" not in terminal.shown


def dashboard(folder: Path) -> bytes:
    """All that a live dashboard wrote that trains into a folder of this name."""
    terminal = Pty(folder, "--data", "pedestrians", "--batch-size", "4", "--epochs", "1000", "--eval-every", "1000")
    try:
        terminal.until("progress")
        terminal.press("sS")
        terminal.until_shown(b"picture saved")
        terminal.press("q")
        terminal.until_shown(b"save and quit")
        terminal.press("\r")
        assert terminal.process.wait(60) == 0
        terminal._reader.join(10)
        return terminal.shown
    finally:
        terminal.end()


@pytest.mark.slow
def test_the_dashboard_in_a_hostile_folder(tmp_path: Path) -> None:
    told = taken_apart(dashboard(tmp_path / FOLDER))
    assert told.kinds <= TEXTUAL
    assert not told.invisible
    assert "[bold][@click" in told.text


def in_terminal(folder: Path, *argv: str, stdout: Path | None = None) -> tuple[int, bytes]:
    """Run a command to its end; returns its exit code and what its terminal was sent."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 200, 0, 0))
    with (stdout or Path(os.devnull)).open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "reid_tui", *argv],
            stdin=slave,
            stdout=file if stdout else slave,
            stderr=slave,
            env={**os.environ, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8", "OMP_NUM_THREADS": "1"},
            cwd=folder,
        )
    os.close(slave)
    sent = bytearray()
    with contextlib.suppress(OSError):  # the command has let go of its terminal
        while part := os.read(master, 65536):
            sent += part
    os.close(master)
    return process.wait(60), bytes(sent)


def check_json(text: str) -> None:
    """Plain printable ASCII, of which every number is finite."""

    def refuse(name: str) -> None:
        raise AssertionError(name)

    assert all(character == "\n" or " " <= character <= "~" for character in text)
    json.loads(text, parse_constant=refuse)


@pytest.mark.slow
def test_the_bar_and_json_of_a_run_in_a_hostile_folder(tmp_path: Path) -> None:
    out = tmp_path / "out"
    options = ("--data", "pedestrians", "--steps", "2", "--batch-size", "4", "--json", "--progress", "bar")
    code, bar = in_terminal(tmp_path, "train", *options, "--runs-dir", f"{FOLDER}\x7f", stdout=out)
    assert code == 0, bar
    for line in out.read_text().splitlines():
        check_json(line)
    sent = taken_apart(bar)
    assert sent.kinds <= {"0x0a", "0x0d", "CSI ?h", "CSI ?l", "CSI m", "CSI A", "CSI K"}
    assert not sent.invisible
    assert "[bold][@click" in sent.text


@pytest.mark.parametrize("text", HOSTILE)
def test_the_bar_shows_what_is_done_as_it_stands(text: str) -> None:
    shown = []
    for say in (as_it_is, harmless):
        console = Console(file=StringIO(), force_terminal=True, color_system="truecolor", width=500, highlight=False)
        talk = BarTalk(console)
        for event in (ev.PhaseChanged(step=0, phase="loading", detail=say(text)), *late(say)):
            talk.tell(event, RunState)
        talk.tell(ev.PhaseChanged(step=0, phase="loading", detail=say(text)), RunState)
        talk.close()
        shown.append(console.file.getvalue().encode(errors="surrogatepass"))  # type: ignore[attr-defined]
    told = same_kinds(*shown)
    assert MARKUP not in text or told.text.count(MARKUP) > 3


def test_the_table_of_hostile_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tables = []
    for say in (as_it_is, harmless):
        runs = tmp_path / say(FOLDER)
        with written(runs, say):
            code, table = in_terminal(tmp_path, "runs", "--runs-dir", str(runs))
            assert code == 0
            tables.append(table)
            assert cli.run(["runs", "--json", "--runs-dir", str(runs)]) == 0
            check_json(capsys.readouterr().out)
    assert "[bold][@click" in same_kinds(*tables).text


def test_data_in_a_hostile_folder(tmp_path: Path) -> None:
    sent = []
    for say in (as_it_is, harmless):
        folder = tmp_path / f"{say(FOLDER)}{say('[')}" / say("]")
        folder.mkdir(parents=True)
        for file in SOURCES["fashion-mnist"].files:
            (folder / file.name).write_bytes(b"\0" * 16)
        code, told = in_terminal(tmp_path, "data", "fashion-mnist", "--data-dir", str(folder))
        assert code == 2
        sent.append(told)
    assert "[bold][@click" in same_kinds(*sent).text
