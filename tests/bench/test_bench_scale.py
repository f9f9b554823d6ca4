"""Sets of growing size are written and measured, and the slope of each cost is told."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path

import pytest
import torch
from rich.console import Console

from reid_tui.bench import scale, scale_one


def test_slope() -> None:
    sizes = (10, 100, 1000)
    assert scale.slope(sizes, (7, 7, 7)) == 0
    assert scale.slope(sizes, (1, 10, 100)) == pytest.approx(1)
    assert scale.slope(sizes, (1, 100, 10_000)) == pytest.approx(2)
    assert math.isnan(scale.slope(sizes, (0, 1, 2)))
    assert math.isnan(scale.slope(sizes, (math.nan, 1, 2)))


def test_each_size_is_measured_and_has_a_column(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scale, "write_set", lambda root, images: (root / str(images)).mkdir(parents=True))
    monkeypatch.setattr(scale, "run", lambda command, _: (json.dumps({"step: CPU ms": 3.5, "memory": 1}), ""))
    out = io.StringIO()
    scale.measure(Console(file=out, width=120), tmp_path, 100_000)
    head, _, step, *_ = out.getvalue().strip().splitlines()
    assert [cell.strip() for cell in head.split("|")[2:5]] == ["1,000 images", "10,000 images", "100,000 images"]
    assert step.split("|")[2].strip() == "3.5"
    assert step.split("|")[5].strip() == "0"


def test_too_few_images_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        scale.main(["--images", "100"])
    assert "at least 20000" in capsys.readouterr().err


def test_a_set_is_written_and_all_of_it_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    monkeypatch.setattr(scale_one, "STEPS", 3)
    monkeypatch.setattr(torch, "set_num_threads", lambda _: None)
    root = tmp_path / "set"
    scale.write_set(root, 400)
    assert [len(list((root / split).rglob("*.png"))) for split in ("train", "query", "gallery")] == [200, 4, 196]
    scale_one.main(str(root), "400")
    costs = json.loads(capsys.readouterr().out)
    assert costs["map: points"] == 200
    assert costs["queries ranked: their number"] == 4
    assert costs["log line of a step: bytes"] < costs["log's first line: bytes"]
    assert all(math.isfinite(cost) for cost in costs.values())
