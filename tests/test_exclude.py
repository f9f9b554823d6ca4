"""`--exclude` from the command line: told, kept by a resume and a replay, and refused in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reid_tui.cli.main import run as command_line
from reid_tui.data import catalog
from reid_tui.data.dataset import Dataset
from reid_tui.runs.directory import locate_run


@pytest.fixture(autouse=True)
def tiny_data(tiny: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(catalog.LOADERS, "tiny", lambda request: tiny)


def train(folder: Path, *more: str) -> int:
    return command_line(["train", "--runs-dir", str(folder), "--progress", "plain", "--batch-size", "16", *more])


@pytest.mark.slow
def test_a_run_goes_without_what_a_table_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "suspects.csv"
    table.write_text("path,split,row\n,train,3\n,train,4\n,train,700\n")
    begun = ["--data", "tiny", "--name", "run", "--epochs", "2", "--exclude", str(table)]
    assert train(tmp_path, *begun, "--steps", "5") == 0
    told = capsys.readouterr()
    assert f"2 images left out by {table}" in told.out + told.err
    assert "1 row matches no image of tiny" in told.out + told.err
    content = json.loads((locate_run("run", tmp_path) / "config.json").read_text())
    assert content["config"]["exclude"] == str(locate_run("run", tmp_path) / "excluded.csv")
    assert content["asked"]["exclude"] == str(table)
    assert content["dataset"]["train_images"] == 118
    table.unlink()
    run = locate_run("run", tmp_path)
    run = run.rename(run.with_name(f"{run.name}-moved"))
    assert train(tmp_path, "--resume", run.name, "--epochs", "2") == 0
    assert json.loads((run / "config.json").read_text())["config"]["exclude"] == str(run / "excluded.csv")
    capsys.readouterr()
    assert train(tmp_path, "--replay", run.name, "--name", "again") == 0
    assert "weights equal" in capsys.readouterr().err
    again = locate_run("again", tmp_path)
    assert json.loads((again / "config.json").read_text())["config"]["exclude"] == str(again / "excluded.csv")
    (run / "excluded.csv").write_text("path,split,row\n,train,3\n")
    assert train(tmp_path, "--replay", run.name) == 2
    assert "the data of tiny changed since the run" in capsys.readouterr().err.splitlines()[-1]
    (run / "excluded.csv").unlink()
    assert train(tmp_path, "--replay", run.name) == 2
    assert "excluded.csv cannot be read: No such file" in capsys.readouterr().err.splitlines()[-1]


def test_a_table_that_cannot_be_read_begins_no_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "notes.csv"
    table.write_text("who\nann\n")
    assert train(tmp_path, "--data", "tiny", "--exclude", str(table)) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.endswith(f"--exclude {table} has no column 'path', nor 'split' and 'row'; add them as its first line")
    assert list(tmp_path.iterdir()) == [table]
