"""Completion as the shells ask for it: bash for real, in a terminal; zsh and fish by what their scripts ask."""

from __future__ import annotations

import json
import os
import pty
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import miss

RUN = "20260101-000000-a"
HEAVY = ("torch", "textual", "numpy", "rich", "pydantic")


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A folder with one run, and one whose name a shell would act on."""
    for name in (RUN, "20260101-000001-$(touch hacked)"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "config.json").write_text("{}")
    return tmp_path / "runs"


class Bash:
    """An interactive bash that has read our completion as its user would have it."""

    def __init__(self, folder: Path) -> None:
        command = folder / "bin" / "reid-tui"
        command.parent.mkdir()
        command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m reid_tui "$@"\n')
        command.chmod(0o755)
        self.shown = b""
        self._master, slave = pty.openpty()
        path = f"{command.parent}:{os.environ['PATH']}"
        env = {"PATH": path, "PS1": "ready> ", "TERM": "dumb", "HOME": str(folder), "COLUMNS": "200"}
        self.process = subprocess.Popen(
            ["bash", "--norc", "--noprofile", "-i"],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=folder,
            env={**env, "PYTHONPATH": str(Path(__file__).parents[2])},
            start_new_session=True,
        )
        os.close(slave)
        self.type("bind 'set bell-style none'\n")
        self.type('eval "$(reid-tui --show-completion)"; echo loa""ded\n')
        self.until(b"loaded")

    def type(self, keys: str) -> None:
        self.shown = b""
        os.write(self._master, keys.encode())

    def until(self, text: bytes) -> None:
        deadline = time.monotonic() + 30
        while text not in self.shown:
            assert time.monotonic() < deadline, f"no {text!r} in {self.shown!r}"
            if select.select([self._master], [], [], 0.1)[0]:
                self.shown += os.read(self._master, 65536)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._master)


@pytest.fixture
def bash(tmp_path: Path) -> Iterator[Bash]:
    if shutil.which("bash") is None:
        miss("there is no bash")
    shell = Bash(tmp_path)
    yield shell
    shell.end()


@pytest.mark.slow
def test_bash_completes_commands_options_choices_data_sets_and_runs(bash: Bash, runs: Path, tmp_path: Path) -> None:
    for typed, completed in (
        ("reid-tui att", "ach "),
        ("reid-tui train --embed", "ding-dim "),
        ("reid-tui --pairs ba", "tch "),
        ("reid-tui train --data fash", "ion-mnist "),
        ("reid-tui data ped", "estrians "),
        ("reid-tui train --resume 2026", f"{RUN[4:]} "),
        ("reid-tui attach lat", "est "),
        (f"reid-tui runs rm --runs-dir {runs} 2026", f"{RUN[4:]} "),
    ):
        bash.type(f"{typed}\t")
        bash.until(completed.encode())
        bash.type("\x15")  # the line away
    assert not (tmp_path / "hacked").exists()


def asked(runs: Path, **environ: str) -> tuple[str, list[str]]:
    """What a shell's script gets, and which large modules that took."""
    check = (
        "import sys\nfrom reid_tui.cli.main import run\ncode = run([])\n"
        f"import json; print(json.dumps([m for m in {HEAVY} if sys.modules.get(m)]), file=sys.stderr)"
    )
    env = {**os.environ, **environ, "REID_TUI_RUNS": str(runs)}
    done = subprocess.run([sys.executable, "-c", check], env=env, capture_output=True, text=True, check=True)
    return done.stdout, json.loads(done.stderr)


def test_zsh_and_fish_get_words_with_descriptions_and_nothing_large_is_imported(runs: Path) -> None:
    zsh, heavy = asked(runs, _REID_TUI_COMPLETE="complete_zsh", _TYPER_COMPLETE_ARGS="reid-tui train --epo")
    assert '"--epochs":"Passes over the training images.' in zsh
    assert heavy == []
    fish, heavy = asked(
        runs,
        _REID_TUI_COMPLETE="complete_fish",
        _TYPER_COMPLETE_FISH_ACTION="get-args",
        _TYPER_COMPLETE_ARGS="reid-tui attach 2026",
    )
    assert fish.split() == [RUN]
    assert heavy == []


@pytest.mark.parametrize("line", ["reid-tui train --epochs x --da", "reid-tui nonsense --", "reid-tui train --lr '"])
def test_a_line_that_is_wrong_so_far_is_answered_quietly(runs: Path, line: str) -> None:
    words = line.split()
    _, heavy = asked(runs, _REID_TUI_COMPLETE="complete_bash", COMP_WORDS=line, COMP_CWORD=str(len(words) - 1))
    assert heavy == []
