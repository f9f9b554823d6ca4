"""What the screen costs is counted, told, and kept small."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from reid_tui.tui import thrift
from reid_tui.tui.terminal.descriptors import redirected
from reid_tui.tui.thrift import LIMIT, SLOWEST, Thrift
from reid_tui.tui.widgets.canvas import Canvas, Line
from tests.tui.rig import dashboard


class Screen:
    """A screen whose cost a test decides, counted five seconds at a time."""

    def __init__(self) -> None:
        self.now = self.cpu = 0.0
        self.bytes = 0
        self.thrift = Thrift(lambda: self.bytes, lambda: self.cpu)
        self.thrift.tick(0.0, behind=False, asked=False)

    def spend(self, share: float, *, behind: bool = False, asked: bool = False) -> float:
        for _ in range(20):
            self.now += 0.25
            self.cpu += share / 4
            self.bytes += 1200
            self.thrift.tick(self.now, behind=behind, asked=asked)
            behind = asked = False
        return self.thrift.slower

    @property
    def told(self) -> list[str]:
        return [f"{row.label} {row.value}" for row in self.thrift.rows]


def test_the_cost_is_told_once_it_is_known() -> None:
    screen = Screen()
    assert screen.told == []
    assert screen.spend(0.012) == 1
    assert screen.told == ["screen 1.2 %  4.8 kB/s"]


def test_a_slow_machine_is_drawn_for_less_often_and_as_often_again_once_it_is_fast() -> None:
    screen = Screen()
    assert screen.spend(2 * LIMIT) == pytest.approx(2)
    assert screen.told[1] == "slowed 2.0x, slow machine"
    assert screen.spend(LIMIT) == pytest.approx(2)
    assert screen.spend(100 * LIMIT) == SLOWEST
    assert screen.spend(LIMIT / 10) == 1
    assert len(screen.told) == 1


def test_a_slow_line_too() -> None:
    screen = Screen()
    assert [screen.spend(0.01, behind=True) for _ in range(3)] == [2, 4, SLOWEST]
    assert screen.told[1] == "slowed 4.0x, slow line"
    assert [screen.spend(0.01) for _ in range(3)] == [2, 1, 1]


def test_what_a_key_costs_slows_nothing_down() -> None:
    screen = Screen()
    assert screen.spend(10 * LIMIT, asked=True) == 1
    assert screen.told == ["screen 25.0 %  4.8 kB/s"]


async def test_it_stands_in_the_numbers_panel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thrift, "EVERY", 0.1)
    monkeypatch.setattr(thrift, "LIMIT", 1e-9)
    async with dashboard(size=(80, 24)) as rig:
        rig.script.train(1)
        await rig.until(lambda: "kB/s" in rig.text and "slowed" in rig.text and "4.0x, slow machine" in rig.text)


def test_bytes_are_counted_as_the_terminal_takes_them() -> None:
    with redirected(ascii_only=False) as descriptors:
        before = descriptors.sent.total
        descriptors.screen.write("\u2502")
        descriptors.screen.flush()
        assert descriptors.sent.total == before + 3


async def test_what_changes_seldom_is_not_drawn_again_at_each_step(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: set[str | None] = set()
    show, steps = Canvas.show, {"header", "numbers", "loss"}

    def noted(canvas: Canvas, lines: Sequence[Line]) -> None:
        drawn.add(canvas.id or (canvas.parent and canvas.parent.id))
        show(canvas, lines)

    async with dashboard() as rig:
        monkeypatch.setattr(Canvas, "show", noted)
        for _ in range(5):  # in the first of them the panels may still find their sizes
            drawn.clear()
            rig.script.train(5)
            await rig.until(lambda: f"step {rig.script.step}/4,690" in rig.text and steps <= drawn)
            if drawn == steps:
                break
        assert drawn == steps
