from __future__ import annotations

import dataclasses
import math
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from reid_tui.config import RunOptions, resolve
from reid_tui.training.events import (
    CheckpointSaved,
    DatasetFacts,
    DistancesReady,
    Diverged,
    EmbeddingsReady,
    EpochEnded,
    Failed,
    Finished,
    LrChanged,
    MarginChanged,
    Paused,
    PhaseChanged,
    Resumed,
    Rewound,
    Stopped,
    Warned,
)
from reid_tui.view.fold import MAX_LOG, fold
from reid_tui.view.history import Mark
from reid_tui.view.numbers import number_rows
from reid_tui.view.run_state import RunState
from reid_tui.view.summary import summary_rows
from reid_tui.view.wording import LONGEST
from tests.view.samples import distances, evaluated, fitted, progress, started

if TYPE_CHECKING:
    from reid_tui.training.events import AnyEvent


def after(*events: AnyEvent) -> RunState:
    return fold(RunState(), events)


BEGUN = (started(), PhaseChanged(step=0, phase="training"), progress(1), progress(2))


@pytest.mark.parametrize(
    ("events", "badge"),
    [
        ((), "LOADING"),
        ((PhaseChanged(step=0, phase="importing"),), "LOADING"),
        ((PhaseChanged(step=0, phase="loading", detail="reading"),), "LOADING"),
        (BEGUN, "TRAINING"),
        ((*BEGUN, PhaseChanged(step=2, phase="evaluating")), "EVALUATING"),
        ((*BEGUN, PhaseChanged(step=2, phase="evaluating"), evaluated(2), progress(3)), "TRAINING"),
        ((*BEGUN, PhaseChanged(step=2, phase="saving")), "SAVING"),
        ((*BEGUN, Paused(step=2)), "PAUSED"),
        ((*BEGUN, Paused(step=2), progress(3)), "PAUSED"),
        ((*BEGUN, Paused(step=2), PhaseChanged(step=2, phase="saving")), "SAVING"),
        (
            (*BEGUN, Paused(step=2), PhaseChanged(step=2, phase="saving"), PhaseChanged(step=2, phase="training")),
            "PAUSED",
        ),
        ((*BEGUN, Paused(step=2), Resumed(step=2)), "TRAINING"),
        ((*BEGUN, Diverged(step=2, reason="three", checkpoint="c")), "DIVERGED"),
        ((*BEGUN, Diverged(step=2, reason="three", checkpoint="c"), Resumed(step=2)), "TRAINING"),
        ((*BEGUN, Stopped(step=2, reason="asked", saved=True)), "STOPPED"),
        ((*BEGUN, Failed(step=2, message="no")), "FAILED"),
        ((*BEGUN, Finished(step=2, reason="epochs", steps=2, wall_s=1.0, loss=0.1)), "DONE"),
    ],
)
def test_badge_follows_events(events: tuple[AnyEvent, ...], badge: str) -> None:
    assert after(*events).badge == badge


def test_progress_is_taken_over() -> None:
    state = after(started(), progress(469, 0.2), progress(470, math.nan, margin=1.2, skipped=1))
    assert (state.step, state.epoch, state.epoch_text, state.loss) == (470, 1, "1/5", 0.2)
    assert (state.margin, state.lr, state.skipped, state.pairs_seen) == (1.2, 1e-3, 1, 64 * 470)
    assert state.progress == pytest.approx(470 / 4690)
    assert state.eta_s == pytest.approx((4690 - 470) * 64 / 6400)
    assert state.history.steps.tolist() == [469]


def test_a_loss_without_a_margin_has_none_whatever_the_log_tells() -> None:
    config = resolve(RunOptions(loss="ntxent"), "fashion-mnist", 10)
    state = after(started(config=config), evaluated(0), progress(1), MarginChanged(step=1, old=1.0, new=1.5))
    assert "temperature" in state.why_no_margin
    assert state.margin_changes == ()
    rewound = Rewound(step=0, from_step=1, margin=1.5, lr=1e-3)
    later = progress(2, margin=1.5, teaching=1.0)
    for known in (state, fold(state, [rewound]), fold(state, [started(1, config=config)]), fold(state, [later])):
        assert math.isnan(known.margin)
        assert not {"margin", "still teach"} & {row.label for row in number_rows(known)}
        assert "margin" not in dict(summary_rows(known))
    assert after(*BEGUN).why_no_margin == RunState().why_no_margin == ""


def test_nothing_is_known_before_the_start() -> None:
    state = RunState()
    assert (state.total_steps, state.progress, state.epoch_text, state.identity_names) == (0, 0.0, "", ())
    assert math.isnan(state.eta_s)
    assert state.scores is None
    assert state.best is None


def test_one_batch_equals_many_small_ones() -> None:
    events: list[AnyEvent] = [
        *BEGUN,
        MarginChanged(step=2, old=1.0, new=1.1),
        *(progress(step, 1 / step, margin=1.1) for step in range(3, 200)),
        evaluated(199),
        Paused(step=199),
        LrChanged(step=199, old=1e-3, new=1e-4),
    ]
    whole, piece = fold(RunState(), events), RunState()
    for event in events:
        piece = fold(piece, [event])
    assert piece.history.losses.tolist() == whole.history.losses.tolist()
    for item in dataclasses.fields(RunState):
        if item.name != "history":
            assert repr(getattr(piece, item.name)) == repr(getattr(whole, item.name)), item.name
    assert piece.history.marks == whole.history.marks


def test_fold_leaves_the_earlier_state_as_it_was() -> None:
    earlier = after(*BEGUN, evaluated(2))
    kept = {item.name: getattr(earlier, item.name) for item in dataclasses.fields(earlier)}
    steps, log = earlier.history.steps.copy(), earlier.log
    later = fold(earlier, [*(progress(step) for step in range(3, 500)), Warned(step=9, code="x", message="y")])
    assert later.step == 499
    assert {item.name: getattr(earlier, item.name) for item in dataclasses.fields(earlier)} == kept
    assert earlier.log == log
    assert np.array_equal(earlier.history.steps, steps)


def test_scores_and_their_predecessors_by_split() -> None:
    state = after(*BEGUN, evaluated(1, map=0.1), evaluated(2, split="seen", map=0.9), evaluated(2, map=0.5))
    assert state.split == "test"
    assert state.scores is not None
    before = state.scores_before(state.scores)
    assert before is not None
    assert (state.scores.map, before.map) == (0.5, 0.1)
    assert fold(state, [evaluated(3, split="unseen")]).split == "unseen"
    best = fold(state, [evaluated(3, map=0.4), evaluated(4, map=math.nan)]).best
    assert best is not None
    assert best.map == 0.5
    assert after(evaluated(1, split="other")).split == "other"


def test_the_threshold_is_the_fitted_one_and_of_older_logs_that_of_the_distances() -> None:
    drawn = dataclasses.replace(distances(), threshold=0.9)
    assert math.isnan(after(*BEGUN).threshold)
    assert after(*BEGUN, drawn, evaluated(2)).threshold == 0.9
    new = after(*BEGUN, evaluated(2, split="unseen", fitted=fitted()), evaluated(2, split="seen"), drawn)
    assert new.threshold == 0.612
    assert fold(new, [evaluated(3, split="unseen", fitted=fitted(0.7))]).threshold == 0.7


def test_the_validation_chooses_the_best_and_reports_nothing() -> None:
    state = after(
        started(),
        *(progress(step) for step in range(1, 31)),
        *(
            evaluated(10, split=split, map=map_)
            for split, map_ in (("validation", 0.6), ("seen", 0.9), ("unseen", 0.3))
        ),
        saved(10),
        *(
            evaluated(20, split=split, map=map_)
            for split, map_ in (("validation", 0.5), ("seen", 0.8), ("unseen", 0.4))
        ),
        saved(20),
    )
    assert state.split == "unseen"
    assert (state.best.step, state.best.map) == (10, 0.6)
    assert state.ways_back == ((20, "the newest good checkpoint"), (10, "the best one, mAP 0.600"))


def test_of_seen_and_unseen_the_unseen_choose_where_nobody_validates() -> None:
    steps = ((10, 0.6), (20, 0.5))
    state = after(
        started(),
        *(progress(step) for step in range(1, 31)),
        *(event for step, map_ in steps for event in (evaluated(step, split="unseen", map=map_), saved(step))),
        evaluated(20, split="seen", map=0.9),
    )
    assert state.best.map == 0.6
    assert state.ways_back[-1] == (10, "the best one, mAP 0.600")


def test_a_resumed_run_forgets_what_it_takes_again() -> None:
    old: list[AnyEvent] = [
        started(),
        *(progress(step) for step in range(1, 101)),
        evaluated(50),
        MarginChanged(step=60, old=1.0, new=1.1),
        *(progress(step, margin=1.2) for step in range(101, 121)),
        MarginChanged(step=110, old=1.1, new=1.2),
        evaluated(110),
        EpochEnded(step=110, epoch=1, loss=0.3, wall_s=1.0),
        CheckpointSaved(step=100, path="checkpoints/a", seconds=0.1, reason="asked"),
        DistancesReady(step=110, split="test", edges=(0.0, 1.0), same=(1,), different=(1,)),
        Stopped(step=120, reason="SIGTERM", saved=False),
    ]
    state = fold(RunState(), [PhaseChanged(step=0, phase="loading"), *old])
    assert state.badge == "STOPPED"
    state = fold(state, [started(100, margin=1.1)])
    assert (state.badge, state.step, state.ended, state.margin) == ("TRAINING", 100, None, 1.1)
    assert state.history.steps[-1] == 100
    assert [mark.step for mark in state.margin_changes] == [60]
    assert [item.step for item in state.history.evaluations] == [50]
    assert state.history.epochs == ()
    assert state.distances is None
    assert [saved.step for saved in state.checkpoints] == [100]
    assert any("resumed" in line.text for line in state.log)
    assert fold(state, [progress(101, 0.7)]).history.losses[-1] == 0.7


def test_what_was_turned_after_the_save_of_the_step_that_a_resume_goes_on_from_is_forgotten_too() -> None:
    old: list[AnyEvent] = [
        started(),
        *(progress(step) for step in range(1, 101)),
        Paused(step=100),
        MarginChanged(step=100, old=1.0, new=1.1),
        CheckpointSaved(step=100, path="checkpoints/a", seconds=0.1, reason="asked"),
        MarginChanged(step=100, old=1.1, new=1.5),
        LrChanged(step=100, old=1e-3, new=1e-2),
    ]
    state = fold(RunState(), [*old, started(100, margin=1.1)])
    assert state.history.marks == (Mark(100, "margin", 1.0, 1.1),)
    assert fold(RunState(), [*old, started(100)]).history.marks == ()
    turned = MarginChanged(step=100, old=1.1, new=1.2)
    assert fold(state, [turned]).history.marks == (Mark(100, "margin", 1.0, 1.2),)


def test_a_start_at_step_0_is_a_new_run_that_keeps_the_log() -> None:
    state = after(*BEGUN, evaluated(2), started())
    assert (state.step, state.history.length, state.scores) == (0, 0, None)
    assert state.log_count == len(state.log) == 3


def test_what_is_loaded_is_a_line_of_the_log_however_often_its_progress_is_told() -> None:
    def loading(text: str, done: int = 0, total: int = 0) -> PhaseChanged:
        return PhaseChanged(step=0, phase="loading", detail=text, done=done, total=total)

    state = after(loading("looking"), loading("reading\n"), *(loading("reading\n", n, 900) for n in range(0, 901, 100)))
    assert (state.detail, state.done, state.total) == ("reading\ufffd", 900, 900)
    assert [line.text for line in state.log] == ["looking", "reading\ufffd"]
    state = fold(state, [loading("looking"), loading("reading\n", 1, 2), Warned(step=0, code="data_x", message="w")])
    assert [line.text for line in state.log[2:]] == ["looking", "reading\ufffd", "w"]
    state = fold(state, [started()])
    assert (state.done, state.total) == (0, 0)


def test_log_is_bounded_and_counts_on() -> None:
    state = fold(RunState(), [Warned(step=i, code="x", message=str(i)) for i in range(MAX_LOG + 50)])
    assert len(state.log) == MAX_LOG
    assert state.log_count == MAX_LOG + 50
    assert state.log[-1].text == str(MAX_LOG + 49)


def test_embeddings_with_arrays_are_not_replaced_by_a_mere_path() -> None:
    arrays = EmbeddingsReady(step=1, split="test", path="a", points=np.zeros((2, 2), np.float32))
    state = after(arrays, EmbeddingsReady(step=2, split="test", path="b"))
    assert state.embeddings is arrays
    assert after(EmbeddingsReady(step=2, split="test", path="b")).embeddings is not None


def test_no_text_from_outside_can_move_the_cursor() -> None:
    bad = "a\x1b[31m\x9bb\nc\u202e"
    facts = DatasetFacts(bad, 1, 1, 1, (bad, "ok"), bad, unseen=False)
    state = after(
        PhaseChanged(step=0, phase="loading", detail=bad),
        started(dataset=facts, run=bad),
        Warned(step=0, code="x", message=bad),
        evaluated(0, split=bad),
        CheckpointSaved(step=0, path=bad, seconds=0.1, reason=bad),
        Diverged(step=0, reason=bad, checkpoint=bad),
        Failed(step=0, message=bad + "x" * 1000),
    )
    assert state.started is not None
    assert isinstance(state.ended, Failed)
    assert state.checkpoints
    assert state.diverged is not None
    texts = [
        state.detail,
        state.started.run,
        state.started.dataset.name,
        *state.identity_names,
        state.split,
        state.checkpoints[0].path,
        state.diverged.reason,
        state.ended.message,
        *(line.text for line in state.log),
    ]
    for text in texts:
        assert not any(ord(c) < 32 or 0x7F <= ord(c) < 0xA0 or c == "\u202e" for c in text), text
        assert len(text) <= LONGEST


def test_loading_the_state_loads_no_drawing_and_no_training() -> None:
    code = "import sys, reid_tui.view.fold; print([m for m in ('plotext', 'torch', 'textual') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_resume_from_an_older_checkpoint_says_what_is_taken_again() -> None:
    state = after(*BEGUN, Rewound(step=1, from_step=2), started(1), progress(2, loss=0.7))
    assert [line.text for line in state.log if "went back" in line.text] == [
        "went back to the checkpoint at step 1: step 2 is taken again"
    ]
    assert state.history.steps.tolist() == [1, 2]
    assert state.history.losses[-1] == 0.7


def saved(step: int, **fields: Any) -> CheckpointSaved:
    return CheckpointSaved(step=step, path=f"checkpoints/{step}", seconds=0.1, **{"reason": "epoch", **fields})


DIVERGED = (
    started(),
    *(progress(step) for step in range(1, 31)),
    evaluated(10, map=0.6),
    saved(10),
    evaluated(20, map=0.5),
    saved(20),
    LrChanged(step=25, old=1e-3, new=10.0),
    evaluated(30, map=0.01),
    saved(30, good=False),
    *(progress(step, math.nan, lr=10.0, skipped=step - 30) for step in range(31, 34)),
    DistancesReady(step=32, split="test", edges=(0.0, 1.0), same=(1,), different=(1,)),
    Diverged(step=33, reason="three steps", checkpoint="checkpoints/20"),
)
BACK = Rewound(step=20, from_step=33, margin=1.0, lr=1e-3, pairs_seen=1280, skipped=0, wall_s=0.2)


def test_going_back_forgets_the_divergence_and_all_that_came_after_the_checkpoint() -> None:
    state = after(*DIVERGED)
    assert (state.badge, state.skipped) == ("DIVERGED", 3)
    state = fold(state, [BACK, Paused(step=20)])
    assert (state.badge, state.step, state.lr, state.margin) == ("PAUSED", 20, 1e-3, 1.0)
    assert (state.pairs_seen, state.skipped, state.wall_s, state.epoch) == (1280, 0, 0.2, 1)
    assert state.history.steps.tolist() == list(range(1, 21))
    assert (state.history.marks, state.distances) == ((), None)
    assert state.scores is not None
    assert state.scores.step == 20
    assert [item.step for item in state.checkpoints] == [10, 20]
    assert math.isnan(state.scored_margin)
    state = fold(state, [Resumed(step=20), progress(21, 0.7)])
    assert (state.badge, state.history.losses[-1]) == ("TRAINING", 0.7)


def test_a_rewound_of_an_older_log_leaves_it_to_the_start_that_follows() -> None:
    state = after(*BEGUN, Rewound(step=1, from_step=2))
    assert (state.step, state.margin) == (2, 1.0)


def test_the_ways_back_are_the_newest_good_checkpoint_and_the_best() -> None:
    assert after(*DIVERGED).ways_back == (
        (20, "the newest good checkpoint"),
        (10, "the best one, mAP 0.600"),
    )
    assert after(*DIVERGED[:34]).ways_back == ((10, "the newest good checkpoint"),), "it is before the run's step"
    assert [way.step for way in fold(after(*DIVERGED), [BACK]).ways_back] == [10]
    assert after(started(), progress(3)).ways_back == ((0, "the beginning"),)
    assert after(started()).ways_back == ()


def test_a_checkpoint_that_an_older_log_calls_diverged_is_not_good() -> None:
    state = after(started(), progress(3), saved(3, reason="diverged"))
    assert state.checkpoints == ()
    (line,) = [line.text for line in after(started(), saved(3, good=False)).log if line.kind == "saved"]
    assert line.endswith("; its weights are ruined, no resume takes it")


def test_galleries_are_the_newest_that_have_embeddings_and_training_images_are_on_no_map() -> None:
    arrays = {"points": np.zeros((2, 2), np.float32), "embeddings": np.zeros((2, 2), np.float32)}
    whole = EmbeddingsReady(step=1, split="test", path="a", full=True, **arrays)
    quick = EmbeddingsReady(step=2, split="test", path="b", points=arrays["points"])
    train = EmbeddingsReady(step=3, split="train", path="c", full=True, **arrays)
    unread = EmbeddingsReady(step=4, split="train", path="d", full=True)
    state = after(whole, quick, train, unread)
    assert (state.gallery, state.embeddings, state.train_gallery) == (whole, quick, train)
