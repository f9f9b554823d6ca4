"""`reid-tui runs show`: the checkpoints of a run, what each is worth, and which of them a resume takes."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from reid_tui.cli.main import run as command_line
from reid_tui.runs import checkpoints as module
from reid_tui.runs.checkpoint_table import print_checkpoints
from reid_tui.runs.checkpoints import can_go_on, list_checkpoints
from reid_tui.runs.directory import RunDirectory
from reid_tui.view.text import UNKNOWN
from tests.training.small import save_small

HOSTILE = "\x1b]52;c;eA==\x07\u202e"


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    """Ruined at step 40, damaged at 32, asked for at 16; the best at 8 and the log's scores at 24."""
    run = RunDirectory(tmp_path / "20260101-000000-a")
    run.checkpoints.mkdir(parents=True)
    run.config.write_text("{}")
    save_small(run.checkpoints, 8, 8, map=0.5, rank1=0.75, loss=0.1234)
    save_small(run.checkpoints, 16, 16, "asked", map=0.25)
    for step in (24, 32):
        save_small(run.checkpoints, step, step, loss=0.1)
    save_small(run.checkpoints, 40, 40, "stopped", loss=1e20)
    tensors = run.checkpoints / "step-00000032.safetensors"
    tensors.write_bytes(tensors.read_bytes()[:-1] + b"x")
    told = [{"event": "evaluated", "step": step, "map": 0.375, "rank1": 0.625} for step in (8, 24)]
    lines = [json.dumps(event, separators=(",", ":")) for event in told]
    run.events.write_text("\n".join([*lines, '{"event":"evaluated","step":true}', '{"event":"evaluated"', ""]))
    return run


def shown(run: RunDirectory, width: int = 100) -> list[str]:
    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=True, color_system=None, highlight=False)
    print_checkpoints(console, list_checkpoints(run))
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_each_with_its_step_its_loss_its_scores_and_its_worth(run: RunDirectory) -> None:
    lines = shown(run)
    rows = {int(words[0]): words[3:] for words in (line.split() for line in lines[1:6])}
    assert lines[0].split() == ["step", "age", "reason", "loss", "mAP", "rank-1", "size", "mark"]
    assert list(rows) == [40, 32, 24, 16, 8]
    assert rows[40] == ["stopped", "1e20", UNKNOWN, UNKNOWN, "88", "B", "diverged"]
    assert rows[32] == ["epoch", "0.1000", UNKNOWN, UNKNOWN, "88", "B", "damaged"]
    assert rows[24] == ["epoch", "0.1000", "0.375", "0.625", "88", "B", "newest:", "--resume", "takes", "it"]
    assert rows[16] == ["asked", UNKNOWN, "0.250", UNKNOWN, "88", "B", "kept", "as", "asked", "for"]
    assert rows[8] == ["epoch", "0.1234", "0.500", "0.750", "88", "B", "kept", "as", "the", "best"]
    assert lines[6].startswith("step 32: step-00000032.safetensors: SHA-256 is ")
    assert len(lines) == 7


def test_scores_that_the_log_tells_are_of_the_split_that_chooses(run: RunDirectory) -> None:
    maps = {24: (("validation", 0.5), ("seen", 0.9), ("unseen", 0.3)), 32: (("seen", 0.8), ("unseen", 0.2))}
    told = [
        {"event": "evaluated", "step": step, "split": split, "map": map_} for step in maps for split, map_ in maps[step]
    ]
    run.events.write_text("".join(json.dumps(event, separators=(",", ":")) + "\n" for event in told))
    found = {item.step: (item.map, item.split) for item in list_checkpoints(run) if item.step in maps}
    assert found == {24: (0.5, "validation"), 32: (0.2, "unseen")}
    assert shown(run)[-1].startswith("mAP and rank-1 are of the validation, ")


def test_what_lies_ahead_of_a_run_that_went_back_is_marked(run: RunDirectory) -> None:
    save_small(run.checkpoints, 16, 16, "rewound", rewinds=1)
    found = {item.step: item for item in list_checkpoints(run)}
    assert list(found) == [16, 40, 32, 24, 8]
    assert [step for step, item in found.items() if item.passed_over] == [40, 32, 24]
    assert found[16].newest
    assert found[16].asked, "going back to it does not make it less wanted"


def test_json(run: RunDirectory, capsys: pytest.CaptureFixture[str]) -> None:
    (run.checkpoints / "step-00000048.json").write_text("{")
    assert command_line(["runs", "show", "a", "--json", "--runs-dir", str(run.path.parent)]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    found = json.loads(captured.out)
    assert [(item["step"], item["state"]) for item in found[:3]] == [(48, "damaged"), (40, "diverged"), (32, "damaged")]
    assert found[0]["loss"] is None
    (newest,) = [item for item in found if item["newest"]]
    assert newest.pop("time") > 0
    assert newest == {
        "path": str(run.checkpoints / "step-00000024.safetensors"),
        "step": 24,
        "state": "good",
        "why": "",
        "checked": "sha256",
        "reason": "epoch",
        "loss": 0.1,
        "map": 0.375,
        "rank1": 0.625,
        "split": "",
        "asked": False,
        "best": False,
        "newest": True,
        "passed_over": False,
        "bytes": 88,
    }


def test_a_large_file_is_not_read_and_that_is_said(run: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHEAP", 10)
    by_step = {item.step: item for item in list_checkpoints(run)}
    assert (by_step[32].state, by_step[32].checked) == ("good", "size")
    (run.checkpoints / "step-00000024.safetensors").unlink()
    (fault,) = [item for item in list_checkpoints(run) if item.state == "damaged"]
    assert (fault.step, fault.why) == (24, "step-00000024.safetensors: 0 bytes instead of 88")
    assert shown(run)[-1] == "of files above 67.1 MB the size was checked, not the content"


@pytest.mark.parametrize("width", [1, 10, 30, 60])
def test_narrow_terminals(run: RunDirectory, width: int) -> None:
    assert shown(run, width)


def test_a_run_without_any_is_no_error(run: RunDirectory, capsys: pytest.CaptureFixture[str]) -> None:
    for path in run.checkpoints.iterdir():
        path.unlink()
    words = ["runs", "show", "a", "--runs-dir", str(run.path.parent)]
    assert command_line(words) == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == f"reid-tui: no checkpoint in {run.path} yet\n"
    assert command_line([*words, "--json"]) == 0
    assert capsys.readouterr().out == "[]\n"
    assert command_line(["runs", "show", "nope", "--runs-dir", str(run.path.parent)]) == 2


def test_nothing_on_disk_can_steer_the_terminal(run: RunDirectory) -> None:
    path = run.checkpoints / "step-00000024.json"
    value = json.loads(path.read_text())
    del value["digest"]
    path.write_text(json.dumps({**value, "reason": HOSTILE}))
    (run.checkpoints / "step-00000048.json").write_text(json.dumps({"schema": HOSTILE}))
    assert "".join(shown(run)).isprintable()


def test_a_run_can_go_on_from_a_good_one_only(run: RunDirectory) -> None:
    assert can_go_on(run)
    for step in (8, 16, 24, 32):
        (run.checkpoints / f"step-{step:08d}.json").unlink()
    assert not can_go_on(run)
    assert not any(item.newest for item in list_checkpoints(run))
