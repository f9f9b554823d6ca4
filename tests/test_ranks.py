"""Which process is which, and what is refused where there are several."""

from __future__ import annotations

import pytest

from reid_tui.config import RunOptions
from reid_tui.config.ranks import MEETING, Rank, check_together, rank_of
from reid_tui.errors import UsageError

TORCHRUN = {"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "node0"}


def test_torchrun_says_which_process_this_is() -> None:
    assert rank_of(TORCHRUN) == Rank(3, 4, 1, 2)


def test_a_process_of_our_own_is_met_in_a_file() -> None:
    environ = {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2", MEETING: "/tmp/x/meeting"}
    assert rank_of(environ) == Rank(1, 2, 1, 2, "/tmp/x/meeting")


@pytest.mark.parametrize(
    "environ",
    [{}, {"RANK": "0"}, {**TORCHRUN, "RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", "LOCAL_WORLD_SIZE": "1"}],
)
def test_otherwise_a_process_is_alone(environ: dict[str, str]) -> None:
    assert rank_of(environ) is None


@pytest.mark.parametrize("wrong", [{"RANK": "4"}, {"RANK": "x"}, {"LOCAL_RANK": "2"}, {"LOCAL_WORLD_SIZE": "5"}])
def test_an_environment_that_contradicts_itself_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        rank_of({**TORCHRUN, **wrong})


@pytest.mark.parametrize(
    ("options", "given", "replays", "words"),
    [
        (RunOptions(nproc=2), rank_of(TORCHRUN), False, "--nproc 2: torchrun has started 4 processes"),
        (RunOptions(nproc=2), None, True, "--replay"),
        (RunOptions(nproc=2, compile=True), None, False, "--compile"),
        (RunOptions(device="cuda:1"), rank_of(TORCHRUN), False, "--device cuda:1"),
        (RunOptions(nproc=2, device="mps"), None, False, "--device mps"),
    ],
)
def test_what_several_cannot_do_is_refused(options: RunOptions, given: Rank | None, replays: bool, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        check_together(options, given, replays=replays)


def test_one_process_may_do_all() -> None:
    check_together(RunOptions(nproc=1, compile=True, device="mps"), None, replays=True)
