"""`reid-tui compare` with a network that was really trained."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from reid_tui.cli.main import run
from reid_tui.using.model import Model
from tests.using.conftest import snapshot

COMMAND = str(Path(sys.executable).with_name("reid-tui"))


@pytest.mark.slow
def test_the_installed_command_answers_and_leaves_the_run_as_it_was(
    trained_run: Path, trained_model: Model, people: Path, tmp_path: Path
) -> None:
    before = snapshot(trained_run)
    first, second = sorted((people / "person-0").iterdir())[:2]
    words = [COMMAND, "compare", trained_run.name, first, second, "--json", "--runs-dir", trained_run.parent]
    done = subprocess.run(words, capture_output=True, text=True, cwd=tmp_path, check=False)
    found = json.loads(done.stdout)
    assert done.returncode == (0 if trained_model.same(first, second) else 1), done.stderr
    assert found["distance"] == pytest.approx(trained_model.distance(first, second), rel=1e-5)
    assert (found["run"], found["step"]) == (trained_run.name, trained_model.step)
    assert found["threshold"] == trained_model.fitted().threshold
    assert snapshot(trained_run) == before


def test_people_are_nearer_to_themselves_than_to_others(
    trained_run: Path, people: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = snapshot(trained_run), snapshot(people)
    assert run(["compare", str(trained_run), str(people), "--json"]) in (0, 1)
    means = json.loads(capsys.readouterr().out)["folders"]
    own = [pair["mean"] for pair in means if pair["a"] == pair["b"]]
    others = [pair["mean"] for pair in means if pair["a"] != pair["b"]]
    assert sum(own) / len(own) < sum(others) / len(others)
    assert (snapshot(trained_run), snapshot(people)) == before
