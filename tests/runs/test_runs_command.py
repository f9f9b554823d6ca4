from __future__ import annotations

import io
import json
import os
import pty
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rich.console import Console

from reid_tui.cli.main import run
from reid_tui.errors import RunError
from reid_tui.runs import remove
from reid_tui.runs import table as show
from reid_tui.runs.lock import RunLock
from reid_tui.runs.overview import list_runs
from reid_tui.view.text import UNKNOWN

LOG = [
    {"event": "run_started", "step": 0, "time": 1.0, "margin": 1.0, "pid": 1, "total_steps": 40, "steps_per_epoch": 20},
    {"event": "progress", "step": 1234, "time": 2.0, "loss": 0.12345, "margin": 1.05},
    {"event": "evaluated", "step": 1234, "time": 2.0, "map": 0.7894},
    {"event": "stopped", "step": 1234, "time": 2.0, "reason": "asked", "saved": True},
]


def made(runs: Path, name: str = "20260101-000000-a", data: str = "tiny") -> Path:
    path = runs / name
    (path / "checkpoints").mkdir(parents=True)
    (path / "checkpoints" / "step-00000001.safetensors").write_bytes(b"x")
    (path / "config.json").write_text(json.dumps({"dataset": {"name": data}, "config": {}}))
    (path / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in LOG))
    return path


def error(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    """The one line of a refusal."""
    assert run(["runs", *argv]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1, captured.err
    return captured.err


def printed(runs: Path, width: int) -> list[str]:
    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=True, color_system=None, highlight=False)
    show.print_runs(console, list_runs(runs))
    return out.getvalue().splitlines()


def test_the_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made(tmp_path)
    assert run(["runs", "--runs-dir", str(tmp_path)]) == 0
    head, row = capsys.readouterr().out.splitlines()
    assert head.split() == list(show.COLUMNS)
    assert row.split()[:7] == ["20260101-000000-a", "stopped", "tiny", "1,234/40", "0.1235", "0.789", "@1,234"]
    assert re.search(r" \d+ d +\d+ B$", row)


def test_a_running_run_names_its_process_and_an_empty_one_shows_dashes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = made(tmp_path)
    (path / "events.jsonl").unlink()
    (path / "config.json").write_text("{")
    lock = RunLock(path / "lock")
    monkeypatch.setenv("REID_TUI_RUNS", str(tmp_path))
    assert run(["runs"]) == 0
    lock.release()
    row = capsys.readouterr().out.splitlines()[1]
    assert row.split()[1:9] == ["running", str(os.getpid()), *[UNKNOWN] * 6]


def test_a_pipe_gets_whole_names_and_a_narrow_terminal_fewer_columns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    name = f"20260101-000000-{'n' * 64}"
    made(tmp_path, name)
    assert run(["runs", "--runs-dir", str(tmp_path)]) == 0
    whole = capsys.readouterr().out
    assert name in whole
    assert whole.split()[: len(show.COLUMNS)] == list(show.COLUMNS)
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert run(["runs", "--runs-dir", str(tmp_path)]) == 0
    assert re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out) == whole
    lines = printed(tmp_path, 120)
    assert lines[0].split() == ["run", "state", "steps", "mAP"]
    assert "data, size, margin, age, loss; --json has everything" in lines[-1]
    assert name in lines[1]
    for width in (1, 5, 20, 40):
        assert printed(tmp_path, width)


def test_json_is_one_array_and_nothing_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = made(tmp_path, data="d\x1b[31m\x7f\u202e")
    assert run(["runs", "--json", "--runs-dir", str(tmp_path)]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert captured.out.replace("\n", "").isprintable()
    (value,) = json.loads(captured.out)
    assert value.pop("age_s") > 0
    assert value.pop("bytes") > 100
    assert value == {
        "name": path.name,
        "path": str(path),
        "state": "stopped",
        "pid": None,
        "data": "d\x1b[31m\x7f\u202e",
        "step": 1234,
        "total_steps": 40,
        "loss": 0.12345,
        "map": 0.7894,
        "map_step": 1234,
        "margin": 1.05,
        "started": 1.0,
        "time": 2.0,
    }


def test_no_run_yet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["runs", "--runs-dir", str(tmp_path / "none")]) == 0
    captured = capsys.readouterr()
    assert (captured.out, captured.err.count("\n")) == ("", 1)
    assert "no run in" in captured.err
    assert run(["runs", "--json", "--runs-dir", str(tmp_path / "none")]) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_nothing_on_disk_can_steer_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hostile = "a\x1b]52;c;eA==\x07[bold]\u202e\n\x9b31m"
    made(tmp_path, hostile, data=hostile)
    (tmp_path / os.fsdecode(b"\xff\xfe")).mkdir()
    (tmp_path / os.fsdecode(b"\xff\xfe") / "config.json").write_text("")
    assert run(["runs", "--runs-dir", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert out.replace("\n", "").isprintable()
    assert out.count("\n") == 3
    assert "[bold]" in out
    assert error(capsys, "rm", hostile, "--runs-dir", str(tmp_path)).rstrip("\n").isprintable()


def test_options_before_rm_are_not_lost_silently(capsys: pytest.CaptureFixture[str]) -> None:
    assert "--runs-dir stands before 'rm'" in error(capsys, "--runs-dir", "x", "rm", "y")
    assert "--json stands before 'rm'" in error(capsys, "--json", "rm", "y")


def test_rm_without_a_terminal_keeps_the_run_and_names_yes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = made(tmp_path)
    assert "--yes" in error(capsys, "rm", "a", "--runs-dir", str(tmp_path))
    assert (path / "checkpoints" / "step-00000001.safetensors").exists()


@pytest.mark.parametrize(
    ("answer", "removed"), [("y", True), ("YES", True), ("", False), ("n", False), ("\x04", False)]
)
def test_rm_asks_on_the_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str, removed: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    path = made(tmp_path)
    master, terminal = pty.openpty()
    os.write(master, f"{answer}\n".encode() if answer != "\x04" else b"\x04")
    with os.fdopen(terminal) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        assert run(["runs", "rm", "latest", "--runs-dir", str(tmp_path)]) == (0 if removed else 2)
    os.close(master)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"remove the run '{path.name}' (stopped, ")
    assert path.exists() != removed


def test_rm_removes_the_folder_and_nothing_outside_it(tmp_path: Path) -> None:
    runs, outside = tmp_path / "runs", tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("kept")
    path, other = made(runs), made(runs, "20260102-000000-b")
    (path / "link").symlink_to(outside)
    (path / "checkpoints" / "link").symlink_to(outside, target_is_directory=True)
    (path / "embeddings").symlink_to(outside)
    assert run(["runs", "rm", "a", "--yes", "--runs-dir", str(runs)]) == 0
    assert not path.exists()
    assert (outside / "precious").read_text() == "kept"
    assert [entry.name for entry in runs.iterdir()] == [other.name]


def test_rm_refuses_a_link(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = made(tmp_path / "elsewhere")
    runs = tmp_path / "runs"
    runs.mkdir()
    (runs / "20260101-000000-link").symlink_to(target)
    for spec in ("link", str(runs / "20260101-000000-link"), f"{runs}/20260101-000000-link/"):
        assert "is a link" in error(capsys, "rm", spec, "--yes", "--runs-dir", str(runs))
    assert (target / "config.json").exists()


def test_rm_refuses_a_running_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = made(tmp_path)
    (path / "checkpoints" / ".tmp-half").write_bytes(b"being written")
    lock = RunLock(path / "lock")
    line = error(capsys, "rm", "a", "--yes", "--runs-dir", str(tmp_path))
    assert f"process {os.getpid()}" in line
    with pytest.raises(RunError, match="being trained"):
        remove.remove_run(path)
    assert (path / "checkpoints" / ".tmp-half").exists(), "looking for a run must not clean up under its writer"
    lock.release()


def test_rm_refuses_what_is_no_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text("{}")
    assert "does not look like a run" in error(capsys, "rm", str(model), "--yes", "--runs-dir", str(tmp_path / "runs"))
    assert "no run 'nope'" in error(capsys, "rm", "nope", "--yes", "--runs-dir", str(tmp_path))
    assert (model / "config.json").exists()
    (model / "config.json").rename(model / "lock")
    assert "does not look like a run" in error(capsys, "rm", str(model), "--yes", "--runs-dir", str(tmp_path / "runs"))
    assert (model / "lock").exists()


def test_rm_takes_a_broken_run_and_a_removal_cut_short_can_be_taken_up_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = made(tmp_path)
    (path / "config.json").write_text("{")
    unlink = Path.unlink

    def refuse_config(self: Path, missing_ok: bool = False) -> None:
        if self.name == "config.json":
            raise PermissionError(1, "Operation not permitted", str(self))
        unlink(self, missing_ok)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", refuse_config)
        assert "Operation not permitted" in error(capsys, "rm", "a", "--yes", "--runs-dir", str(tmp_path))
    assert not (path / "checkpoints").exists()
    assert run(["runs", "rm", "a", "--yes", "--runs-dir", str(tmp_path)]) == 0
    assert not path.exists()


@pytest.mark.parametrize("spec", ["dead", "{}", "{}/", "latest"])
def test_rm_takes_a_run_that_was_killed_before_it_wrote_more_than_its_lock(
    tmp_path: Path, spec: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "20260101-000000-dead"
    path.mkdir()
    (path / "lock").write_text("77\n")
    (summary,) = list_runs(tmp_path)
    assert (summary.name, summary.status) == (path.name, "crashed")
    assert "no run in" in error(capsys, "rm", "latest", "--yes", "--runs-dir", str(tmp_path / "other"))
    assert run(["runs", "rm", spec.format(path), "--yes", "--runs-dir", str(tmp_path)]) == 0
    assert not path.exists()


def test_who_waits_for_the_lock_of_a_run_that_is_removed_finds_it_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = made(tmp_path)
    first = RunLock(path / "lock")

    def removed_meanwhile(_: float) -> None:
        first.release()
        remove.remove_run(path)

    monkeypatch.setattr(time, "sleep", removed_meanwhile)
    with pytest.raises(RunError, match="has just been removed"):
        RunLock(path / "lock")
    assert not path.exists()


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59.9, "59 s"), (60, "1 min"), (7300, "2 h"), (3e5, "3 d")]
)
def test_age(seconds: float, text: str) -> None:
    assert show.age(seconds) == text


@pytest.mark.parametrize(("size", "text"), [(0, "0 B"), (999, "999 B"), (13_200_000, "13.2 MB"), (10**13, "10.0 TB")])
def test_size(size: int, text: str) -> None:
    assert show.size(size) == text


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_a_terminal_that_lacks_some_characters_gets_the_table_all_the_same(tmp_path: Path, encoding: str) -> None:
    (made(tmp_path, "20260101-000000-größe-日本") / "events.jsonl").unlink()
    done = subprocess.run(
        [sys.executable, "-m", "reid_tui", "runs", "--runs-dir", str(tmp_path)],
        env={**os.environ, "PYTHONIOENCODING": encoding},
        capture_output=True,
        check=True,
    )
    row = done.stdout.decode(encoding).splitlines()[1].split()
    name, unknown = (
        text.encode(encoding, "replace").decode(encoding) for text in ("20260101-000000-größe-日本", UNKNOWN)
    )
    assert row[:5] == [name, "crashed", "tiny", unknown, unknown]


@pytest.mark.parametrize(
    "words", [["runs"], ["runs", "--json"], ["runs", "show", "a"], ["runs", "rm", "nope", "--yes"]]
)
def test_it_starts_without_torch(tmp_path: Path, words: list[str]) -> None:
    made(tmp_path)
    check = (
        f"from reid_tui.cli.main import run; run({[*words, '--runs-dir', str(tmp_path)]!r})\n"
        "import sys\nassert not {'torch', 'textual', 'plotext', 'numpy'} & set(sys.modules), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", check], check=True, capture_output=True)
