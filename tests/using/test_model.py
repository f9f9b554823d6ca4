"""A run's network at work."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from reid_tui.using.model import Model


def test_a_run_embeds_pictures(trained_model: Model, people: Path) -> None:
    files = sorted(people.rglob("*.png"))
    points = trained_model.embed(files)
    assert points.shape == (len(files), trained_model.card.embedding_dim)
    assert points.dtype == np.float32
    assert trained_model.distance(points[0], files[1]) == pytest.approx(np.linalg.norm(points[0] - points[1]), 1e-5)
