"""Signals of this very process: taken by the loop, and kept for later once the loop is gone."""

from __future__ import annotations

import asyncio
import contextvars
import os
import signal
from collections.abc import Iterator

import pytest

from reid_tui.training import commands as cmd
from reid_tui.tui.terminal.hangup import train_on
from reid_tui.tui.terminal.signals import TAKEN, Signals
from tests.tui.rig import Script, Signalled, dashboard, until


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in TAKEN}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_the_loop_takes_them_and_what_comes_after_it_is_kept() -> None:
    taken: list[str] = []
    active: contextvars.ContextVar[str] = contextvars.ContextVar("active")

    async def work() -> None:
        active.set("app")
        signals.watch()
        for number in TAKEN:
            os.kill(os.getpid(), number)
        await until(lambda: len(taken) == len(TAKEN))

    signals = Signals(lambda name: (active.get(), taken.append(name))[1])
    asyncio.run(work())
    assert sorted(taken) == sorted(number.name for number in TAKEN)
    assert signals.missed() == []
    os.kill(os.getpid(), signal.SIGTERM)
    assert signals.missed() == ["SIGTERM"]
    assert signals.missed() == []
    assert len(taken) == len(TAKEN)


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("SIGTERM", cmd.Stop(save=True, reason="SIGTERM")),
        ("SIGXCPU", cmd.Stop(save=True, reason="SIGXCPU")),
        ("SIGUSR1", cmd.Save()),
        ("SIGUSR2", cmd.Save()),
    ],
)
def test_what_came_while_the_screen_closed_is_obeyed_without_it(name: str, command: cmd.Command) -> None:
    script = Script(obeys=False)
    ended = train_on(script, lambda: None, lambda: [name])
    assert script.sent == [command]
    assert ended == (None if command == cmd.Save() else name)


async def test_the_app_saves_and_leaves() -> None:
    async with dashboard(Script(obeys=False), host=Signalled()) as rig:
        os.kill(os.getpid(), signal.SIGUSR1)
        await rig.until(lambda: rig.script.sent == [cmd.Save()])
        os.kill(os.getpid(), signal.SIGUSR2)
        await rig.until(lambda: rig.script.sent[1:] == [cmd.Save()])
        os.kill(os.getpid(), signal.SIGTERM)
        await rig.until(lambda: rig.script.sent[2:] == [cmd.Stop(save=True, reason="SIGTERM")])


async def test_a_viewer_saves_nothing_and_leaves() -> None:
    async with dashboard(Script(remote=True), host=Signalled()) as rig:
        os.kill(os.getpid(), signal.SIGUSR1)
        os.kill(os.getpid(), signal.SIGUSR2)
        os.kill(os.getpid(), signal.SIGTERM)
        await rig.until(lambda: rig.app._exit)
        assert rig.script.sent == []
        assert rig.app.leaving.code == 143
