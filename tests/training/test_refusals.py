"""Equal refusals within a second are one, with a count, and none is lost."""

from __future__ import annotations

import pytest

from reid_tui.config import RunConfig
from reid_tui.data.dataset import Dataset
from reid_tui.training import commands as cmd
from reid_tui.training import events as ev
from reid_tui.training import refusals
from reid_tui.training.event_json import to_json
from reid_tui.training.refusals import Refusals
from tests.training.rig import Rig


class Told:
    def __init__(self) -> None:
        self.now = 100.0
        self.events: list[ev.AnyEvent] = []
        self.refusals = Refusals(self.events.append, lambda: self.now)

    def refuse(self, step: int, *, by: str = "shift_margin", reason: str = "too low", origin: str = "") -> None:
        self.refusals.take(ev.CommandRefused(step=step, command=by, reason=reason, origin=origin))
        self.refusals.tell()

    @property
    def counts(self) -> list[tuple[str, int, int]]:
        return [(event.command, event.step, event.count) for event in self.events]


def test_a_key_that_is_held_for_three_seconds() -> None:
    told = Told()
    for step in range(97):
        told.refuse(step)
        told.now += 1 / 32
    assert [step for _, step, _ in told.counts] == [0, 32, 64, 96]
    assert [count for _, _, count in told.counts] == [1, 32, 32, 32]


def test_those_after_the_first_come_when_its_second_is_over() -> None:
    told = Told()
    assert told.refusals.due_in() is None
    for step in (1, 2, 3):
        told.refuse(step)
    assert told.counts == [("shift_margin", 1, 1)]
    told.now += 0.25
    assert told.refusals.due_in() == 0.75
    told.now += 0.75
    assert told.refusals.due_in() == 0
    told.refusals.tell()
    assert told.counts == [("shift_margin", 1, 1), ("shift_margin", 3, 2)]
    assert told.refusals.due_in() is None


@pytest.mark.parametrize("other", [{"by": "step"}, {"reason": "too high"}, {"origin": "attach 7"}])
def test_what_is_not_equal_is_told_by_itself(other: dict[str, str]) -> None:
    told = Told()
    for step in range(8):
        told.refuse(step, **(other if step % 2 else {}))
    told.refusals.tell(all_of_them=True)
    assert [(step, count) for _, step, count in told.counts] == [(0, 1), (1, 1), (6, 3), (7, 3)]


def test_a_second_later_it_is_told_at_once_again() -> None:
    told = Told()
    told.refuse(1)
    told.now += 1
    told.refuse(2)
    assert told.counts == [("shift_margin", 1, 1), ("shift_margin", 2, 1)]


class TestInTheTrainer:
    @pytest.fixture
    def rig(self, tiny: Dataset, tiny_config: RunConfig, tmp_path: object) -> Rig:
        return Rig(tiny_config, tiny, tmp_path)  # type: ignore[arg-type]

    @staticmethod
    def put(rig: Rig, command: cmd.Command, times: int) -> None:
        for _ in range(times):
            rig.inbox.put(command)

    def test_what_comes_together_is_one(self, rig: Rig) -> None:
        rig.at[2] = lambda: self.put(rig, cmd.ShiftMargin(-1.0), 12)
        rig.run()
        assert [(event.step, event.count) for event in rig.told(ev.CommandRefused)] == [(2, 12)]
        assert to_json(rig.told(ev.CommandRefused)[0])["count"] == 12

    def test_the_last_count_comes_while_paused(self, rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(refusals, "WINDOW_S", 0.05)
        rig.at[2] = lambda: [rig.inbox.put(command) for command in (cmd.Pause(), cmd.Pause())]
        answers = iter((lambda: self.put(rig, cmd.Pause(), 3), lambda: rig.inbox.put(cmd.Stop())))
        rig.on[ev.CommandRefused] = lambda _: next(answers)()
        assert isinstance(rig.run(), ev.Stopped)
        assert [event.count for event in rig.told(ev.CommandRefused)] == [1, 3]

    def test_it_stands_before_what_changed_after_it(self, rig: Rig) -> None:
        rig.at[2] = lambda: self.put(rig, cmd.Step(), 1)
        rig.at[3] = lambda: [self.put(rig, cmd.Step(), 4), rig.inbox.put(cmd.SetMargin(1.5))]
        rig.run()
        order = [event for event in rig.events if isinstance(event, ev.CommandRefused | ev.MarginChanged)]
        assert [getattr(event, "count", 0) for event in order] == [1, 4, 0]

    def test_none_is_lost_at_the_end(self, rig: Rig) -> None:
        rig.at[22] = lambda: self.put(rig, cmd.Resume(), 1)
        rig.at[23] = lambda: self.put(rig, cmd.Resume(), 5)
        end = rig.run()
        assert [event.count for event in rig.told(ev.CommandRefused)] == [1, 5]
        assert rig.events[-1] is end

    def test_none_is_lost_when_training_breaks(self, rig: Rig) -> None:
        def broken() -> None:
            raise RuntimeError("out of memory")

        rig.at[22] = lambda: self.put(rig, cmd.Resume(), 1)
        rig.at[23] = lambda: self.put(rig, cmd.Resume(), 5)
        rig.at[24] = broken
        with pytest.raises(RuntimeError, match="memory"):
            rig.run()
        assert [event.count for event in rig.told(ev.CommandRefused)] == [1, 5]
