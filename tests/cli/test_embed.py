"""`reid-tui embed` as a person types it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.cli.looking import Commands, commands_in


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
