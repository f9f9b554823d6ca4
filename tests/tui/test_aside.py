"""The thread beside the screen's: the newest request wins, and its result comes back to the screen's thread."""

from __future__ import annotations

import contextvars
import threading

import pytest

from reid_tui.tui.aside import Aside
from tests.tui.rig import until


async def test_a_result_is_kept_for_its_key_and_told_in_the_thread_of_the_screen() -> None:
    told: list[threading.Thread] = []
    calls: list[threading.Thread] = []
    aside = Aside(lambda: told.append(threading.current_thread()))

    def work() -> str:
        calls.append(threading.current_thread())
        return "done"

    assert aside.ask("pairs", (1, 2), work) is None
    await until(lambda: aside.ask("pairs", (1, 2), work) == "done")
    assert told == [threading.current_thread()]
    assert len(calls) == 1
    assert calls[0] is not threading.current_thread()


async def test_it_is_told_in_the_context_of_who_asked() -> None:
    app: contextvars.ContextVar[str] = contextvars.ContextVar("app", default="")
    app.set("ours")
    told: list[str] = []
    aside = Aside(lambda: told.append(app.get()))
    aside.ask("pairs", 1, lambda: 1)
    await until(lambda: told)
    assert told == ["ours"], "else a timer that is started then knows no app and breaks the screen"


async def test_of_what_waits_only_the_newest_is_computed() -> None:
    aside, began, go = Aside(lambda: None), threading.Event(), threading.Event()
    calls: list[int] = []

    def first() -> int:
        began.set()
        assert go.wait(10)
        return 0

    assert aside.ask("pairs", 0, first) is None
    await until(began.is_set)
    for number in (1, 2, 3):
        aside.ask("pairs", number, lambda number=number: calls.append(number) or number)  # type: ignore[misc]
    aside.ask("classes", 1, lambda: calls.append(10) or 10)
    go.set()
    await until(lambda: calls == [3, 10])
    assert aside.ask("pairs", 0, lambda: 0) is None, "what was asked for last has taken its place"


async def test_what_the_work_raised_is_raised_where_it_was_asked_for() -> None:
    told: list[int] = []
    aside = Aside(lambda: told.append(1))
    aside.ask("pairs", 1, lambda: 1 // 0)
    await until(lambda: told)
    with pytest.raises(ZeroDivisionError):
        aside.ask("pairs", 1, lambda: 1)
