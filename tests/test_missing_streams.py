"""The command started without some of its three streams, as some services do."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults import wait_for

COMMAND = [sys.executable, "-m", "reid_tui"]
TRAIN = ["train", "--data", "pedestrians", "--batch-size", "4", "--epochs", "1000", "--eval-every", "1000"]


def started(*argv: str, without: tuple[int, ...]) -> subprocess.CompletedProcess[str]:
    closing = " ".join(f"{number}{'>' if number else '<'}&-" for number in without)
    command = ["sh", "-c", f'exec "$@" {closing}', "sh", *COMMAND, *argv]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("without", [(0,), (1,), (0, 1), (0, 1, 2)])
def test_the_dashboard_is_refused(without: tuple[int, ...], tmp_path: Path) -> None:
    done = started("--runs-dir", str(tmp_path), without=without)
    assert (done.returncode, done.stdout) == (2, "")
    assert 2 in without or "the dashboard needs a terminal" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("without", [(0,), (1,)])
def test_nothing_is_removed_where_nobody_can_answer(without: tuple[int, ...], tmp_path: Path) -> None:
    run = tmp_path / "20261101-120000-kept"
    run.mkdir()
    (run / "events.jsonl").write_text("")
    done = started("runs", "rm", "kept", "--runs-dir", str(tmp_path), without=without)
    assert done.returncode == 2, done.stderr
    assert run.exists()


@pytest.mark.slow
def test_a_run_is_trained_and_what_is_said_of_a_signal_is_in_no_file(tmp_path: Path) -> None:
    command = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *COMMAND, *TRAIN, "--json", "--runs-dir", str(tmp_path)]
    process = subprocess.Popen(command)
    try:
        wait_for(lambda: any(b'"progress"' in log.read_bytes() for log in tmp_path.glob("*/events.jsonl")), 60)
        process.terminate()
        assert process.wait(60) == 143
    finally:
        process.kill()
    (log,) = tmp_path.glob("*/events.jsonl")
    assert json.loads(log.read_text().splitlines()[-1])["event"] == "stopped"
    for file in tmp_path.rglob("*"):
        assert not file.is_file() or b"finishing the step" not in file.read_bytes()
