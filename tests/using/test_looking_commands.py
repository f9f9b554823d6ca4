"""`reid-tui search`, `cluster` and `embed` as they are installed, with a network that was really trained."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.using.conftest import EACH, PEOPLE, snapshot

COMMAND = str(Path(sys.executable).with_name("reid-tui"))


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return os.environ | {"XDG_CACHE_HOME": str(tmp_path / "home")}


@pytest.mark.slow
def test_each_answers_and_touches_nothing(
    trained_run: Path, people: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    before = snapshot(trained_run), snapshot(people)

    def answer(command: str, *words: str | Path) -> str:
        line = [COMMAND, command, str(trained_run), *map(str, words)]
        return subprocess.run(line, env=environment, capture_output=True, text=True, check=True).stdout

    found = json.loads(answer("search", people / "person-1/c1_0.png", people, "--json"))
    assert len(found["queries"][0]["matches"]) == 10
    assert found["queries"][0]["left_out"] == 1
    assert found["step"] > 0
    groups = json.loads(answer("cluster", people, "--json", "-o", tmp_path / "groups.csv"))["groups"]
    assert sum(group["size"] for group in groups) == PEOPLE * EACH
    assert answer("embed", people, "-o", tmp_path / "x.npz") == ""
    with np.load(tmp_path / "x.npz") as file:
        assert len(file["embeddings"]) == PEOPLE * EACH
    assert (snapshot(trained_run), snapshot(people)) == before


@pytest.mark.slow
def test_an_exported_network_needs_no_torch(
    exported_onnx: Path, people: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    lines = [
        ["search", exported_onnx, people / "person-0", people, "--json"],
        ["embed", exported_onnx, people, "-o", tmp_path / "x.csv"],
        ["cluster", exported_onnx, people],
    ]
    check = (
        "import sys; from reid_tui.cli.main import run\n"
        f"assert not any(run(line) for line in {[list(map(str, line)) for line in lines]})\n"
        "assert not {'torch', 'torchvision', 'textual'} & set(sys.modules), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", check], env=environment, check=True, stdout=subprocess.DEVNULL)
