"""When a dashboard was first seen."""

from __future__ import annotations

import pytest

from reid_tui.bench.starting import first_shown
from reid_tui.bench.terminal import Chunk
from reid_tui.errors import ReidTuiError


def test_the_first_chunk_with_the_dashboard_counts() -> None:
    assert first_shown([Chunk(1.0, b"\x1b[?1049h"), Chunk(2.0, b"\x1b[1m LOADING "), Chunk(3.0, b"LOADING")], "") == 2.0


def test_a_command_that_shows_none_is_quoted() -> None:
    with pytest.raises(ReidTuiError, match="not shown: no such option"):
        first_shown([Chunk(1.0, b"no such option")], "no such option")
