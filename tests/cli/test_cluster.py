"""`reid-tui cluster` as a person types it."""

from __future__ import annotations

import csv
import json
import os
import stat
from pathlib import Path

import pytest

from tests.cli.looking import Commands, commands_in
from tests.using.shades import shade


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Commands:
    return commands_in(tmp_path, monkeypatch, capsys)


@pytest.fixture
def heap(commands: Commands) -> Path:
    """Shades in folders that say nothing of whom they show."""
    for number, value in enumerate((10, 12, 14, 100, 103, 200)):
        shade(Path(f"heap/{number % 2}/{number}.png"), value)
    return Path("heap")


def test_groups_by_the_rate_that_suits_them(commands: Commands, heap: Path) -> None:
    code, out, err = commands("cluster", heap, "-o", "groups.csv")
    assert (code, err) == (0, "")
    lines = [line.split() for line in out.splitlines()]
    assert lines[:2] == [
        ["identity", "pictures", "spread", "most", "typical", "pictures"],
        ["group-1", "3", "2.828", "1/1.png,", "0/0.png,", "0/2.png"],
    ]
    assert lines[2][:3] == ["group-2", "2", "3.000"]
    assert "6 pictures in 2 groups, 1 alone, by the threshold 5.000 (FAR 0.01)" in out
    rows = list(csv.reader(Path("groups.csv").read_text().splitlines()))
    assert rows[0] == ["path", "identity"]
    assert {(Path(path).name, identity) for path, identity in rows[1:]} == {
        ("0.png", "group-1"),
        ("1.png", "group-1"),
        ("2.png", "group-1"),
        ("3.png", "group-2"),
        ("4.png", "group-2"),
        ("5.png", "group-3"),
    }
    assert stat.S_IMODE(Path("groups.csv").stat().st_mode) == 0o600


def test_a_full_disk_does_not_cost_the_groups(commands: Commands, heap: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("reid_tui.using.output.write_together", full)
    code, out, err = commands("cluster", heap, "-o", "groups.csv")
    assert code == 1
    assert "6 pictures in 2 groups" in out
    assert (
        err == "reid-tui: groups.csv cannot be written: No space left on device; free some space, name another file\n"
    )


def test_one_picture_with_a_name_that_no_table_holds_is_told(commands: Commands, heap: Path) -> None:
    shade(heap / os.fsdecode(b"n\xff.png"), 10)
    err = commands("cluster", heap, "-o", "groups.csv")[2]
    assert err == "reid-tui: 1 picture with a name that is no text left out of groups.csv\n"


def test_by_links_and_another_threshold(commands: Commands, heap: Path) -> None:
    found = json.loads(commands("cluster", heap, "--method", "dbscan", "--far", "0.1", "--json")[1])
    assert (found["method"], found["threshold"], found["far"]) == ("dbscan", 20.0, 0.1)
    assert [group["size"] for group in found["groups"]] == [3, 2, 1]


def test_what_is_asked_wrongly_is_one_line(commands: Commands, heap: Path) -> None:
    assert "-o must end in .csv" in commands.refused("cluster", heap, "-o", "groups.txt")
    Path("groups.csv").write_text("mine")
    assert "there already" in commands.refused("cluster", heap, "-o", "groups.csv")
    assert Path("groups.csv").read_text() == "mine"
    assert "--method must be one of average, dbscan" in commands.refused("cluster", heap, "--method", "k-means")
    assert "FOLDER nowhere cannot be found" in commands.refused("cluster", "nowhere")
    assert commands("cluster", heap, "-o", "groups.csv", "--force")[0] == 0
