"""`reid-tui embed` as a person types it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.cli.looking import Commands, commands_in
from tests.using.conftest import EACH, PEOPLE


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Commands:
    return commands_in(tmp_path, monkeypatch, capsys)


def test_into_a_file(commands: Commands) -> None:
    code, out, err = commands("embed", "shop", "-o", "x.npz")
    assert (code, out, err) == (0, "", "reid-tui: embedded 6 pictures of 2 identities in x.npz\n")
    with np.load("x.npz") as found:
        assert found["embeddings"][:, 0].tolist() == [9, 15, 30, 99, 105, 120]
        assert found["identities"].tolist() == [1, 1, 1, 2, 2, 2]
    told = json.loads(commands("embed", "shop", "-o", "x.tsv", "--json")[1])
    assert (told["pictures"], told["identities"], told["dimensions"]) == (6, 2, 1)
    assert all(Path(file).is_file() for file in told["files"])
    assert len(told["files"]) == 4


def test_what_is_asked_wrongly_is_one_line_and_nothing_is_computed(commands: Commands) -> None:
    assert "-o must end in .npz, .csv, .tsv" in commands.refused("embed", "shop", "-o", "x.json")
    Path("x.npz").touch()
    assert "there already" in commands.refused("embed", "shop", "-o", "x.npz")
    assert "SPEC nowhere cannot be found" in commands.refused("embed", "nowhere", "-o", "y.npz")
    assert "-o" in commands.refused("embed", "shop")
    assert commands.computed == 0


@pytest.mark.slow
def test_the_installed_command_on_a_run(trained_run: Path, people: Path, tmp_path: Path) -> None:
    file = tmp_path / "x.npz"
    command = [str(Path(sys.executable).with_name("reid-tui")), "embed", str(trained_run), str(people), "-o", str(file)]
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path / "home")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == ""
    with np.load(file) as found:
        assert len(found["embeddings"]) == PEOPLE * EACH
