"""A network at work beside the bare one."""

from __future__ import annotations

import pytest

from reid_tui.bench import embedding


def test_each_round_gives_a_rate_of_both(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding, "IMAGES", 8)
    rates = embedding.rates(2)
    assert {name: len(found) for name, found in rates.items()} == {"ours": 2, "bare": 2}
    assert min(rate for found in rates.values() for rate in found) > 0
