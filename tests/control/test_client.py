"""The client against real servers, dead ones, silent ones and such as answer nonsense."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from reid_tui.control.client import PROBLEMS_KEPT, ControlClient
from reid_tui.control.endpoint import SOCKET_NAME
from reid_tui.runs.directory import RunDirectory
from reid_tui.runs.lock import RunLock
from reid_tui.text import printable
from reid_tui.training import commands as cmd
from tests.control.lines import connected, serving, until


@contextlib.contextmanager
def client_of(run: RunDirectory, timeout_s: float = 20) -> Iterator[ControlClient]:
    client = ControlClient(run, timeout_s=timeout_s)
    try:
        yield client
    finally:
        client.close()
        assert not client._thread.is_alive()


@contextlib.contextmanager
def impostor(run: RunDirectory) -> Iterator[socket.socket]:
    """What listens where the run's process should, and does what the test says."""
    run.path.mkdir(exist_ok=True)
    lock = RunLock(run.lock)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(run.path / SOCKET_NAME))
        listener.listen()
        lock.tell(run.path.resolve() / SOCKET_NAME)
        yield listener
    (run.path / SOCKET_NAME).unlink()
    lock.release()


def problem_of(client: ControlClient) -> str:
    found: list[str] = []
    until(lambda: found.extend(client.problems()) or found)
    (problem,) = found
    assert problem == printable(problem, 300)
    return problem


def test_commands_arrive_in_order_and_close_waits_for_them(short: Path) -> None:
    commands = [cmd.Pause(), cmd.SetMargin(1.25), cmd.ShiftMargin(-0.05), cmd.Step(), cmd.Stop(save=False)]
    with serving(short / "run") as served:
        with client_of(served.run) as client:
            for command in commands:
                client.send(command)
        assert served.commands == commands
        assert client.problems() == []
        until(lambda: not served.server._clients)


def test_one_connection_and_only_once_there_is_something_to_say(short: Path) -> None:
    with serving(short / "run") as served, client_of(served.run) as client:
        with connected(served.run) as line:
            assert line.ask(b"\n")["ok"] is False
            assert len(served.server._clients) == 1
        for _ in range(3):
            client.send(cmd.Save())
        until(lambda: len(served.taken) == 3)
        until(lambda: len(served.server._clients) == 1)


def test_a_command_that_no_run_would_take(short: Path) -> None:
    with serving(short / "run") as served, client_of(served.run) as client:
        client.send(cmd.SetMargin(float("nan")))
        assert problem_of(client) == "set_margin: set_margin's value must be a finite number, not NaN"
        client.send(cmd.Pause())
        until(lambda: served.commands == [cmd.Pause()])


def test_a_run_that_nobody_trains(short: Path) -> None:
    with client_of(RunDirectory(short / "run")) as client:
        client.send(cmd.Pause())
        assert problem_of(client) == "pause: not sent: no process that can be reached trains this run"


def test_after_a_restart_of_the_run_it_is_found_again(short: Path) -> None:
    with serving(short / "run") as served, client_of(served.run) as client:
        client.send(cmd.Save())
        until(lambda: served.taken)
        served.close()
        with serving(short / "run") as second:
            client.send(cmd.ShiftMargin(0.05))
            until(lambda: second.taken)
        assert second.commands == [cmd.ShiftMargin(0.05)]
        client.send(cmd.Pause())
        assert "no process that can be reached" in problem_of(client)
    assert served.commands == [cmd.Save()]


def test_turned_away_as_the_ninth_it_says_so_and_comes_in_later(short: Path) -> None:
    with serving(short / "run") as served, client_of(served.run) as client:
        with contextlib.ExitStack() as stack:
            for _ in range(8):
                stack.enter_context(connected(served.run))
            until(lambda: len(served.server._clients) == 8)
            client.send(cmd.Pause())
            assert problem_of(client).startswith("pause: refused: 8 others are connected already")
        until(lambda: not served.server._clients)
        client.send(cmd.Resume())
        until(lambda: served.commands == [cmd.Resume()])
        assert client.problems() == []


def test_a_process_that_does_not_answer_gets_no_heap_of_commands(short: Path) -> None:
    run = RunDirectory(short / "run")
    with impostor(run) as listener, client_of(run, timeout_s=0.3) as client:
        client.send(cmd.Pause())
        connection, _ = listener.accept()
        with connection:
            for _ in range(50):
                client.send(cmd.ShiftMargin(0.05))
            problem = problem_of(client)
            assert problem == "pause: no answer within 0.3 s; the run may still get it; 50 more not sent"
            assert connection.recv(4096) == b'{"command":"pause"}\n'
            assert connection.recv(4096) == b"", "the connection is given up with the command"


def test_nobody_accepts_and_no_more_may_wait(short: Path) -> None:
    run = RunDirectory(short / "run")
    with impostor(run) as listener, client_of(run, timeout_s=0.1) as client, contextlib.ExitStack() as stack:
        listener.listen(0)
        waiting = stack.enter_context(socket.socket(socket.AF_UNIX))
        waiting.connect(listener.getsockname())
        client.send(cmd.Pause())
        assert problem_of(client) == "pause: not sent, the run's process does not answer"


def test_a_moment_in_which_no_more_may_wait_is_waited_out(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = RunDirectory(short / "run")
    slept = threading.Event()
    with impostor(run) as listener, client_of(run) as client, contextlib.ExitStack() as stack:
        listener.listen(0)
        stack.enter_context(socket.socket(socket.AF_UNIX)).connect(listener.getsockname())

        def make_room(_seconds: float) -> None:
            if not slept.is_set():
                stack.enter_context(listener.accept()[0])
                slept.set()

        monkeypatch.setattr(time, "sleep", make_room)
        client.send(cmd.Pause())
        assert slept.wait(20)
        connection, _ = listener.accept()
        with connection:
            assert connection.recv(4096) == b'{"command":"pause"}\n'
            connection.sendall(b'{"ok":true}\n')
    assert client.problems() == []


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"", "the connection ended without an answer; whether the run got it is not known"),
        (b"half", "the connection ended without an answer"),
        (b"x" * 10_000, "ended without an answer"),
        (b"\xff\n", "the answer is no JSON"),
        (b"[" * 4000 + b"\n", "the answer is no"),
        (b"[]\n", "the answer is no object"),
        (b"{}\n", "refused: None"),
        (b'{"ok": 1}\n', "refused: None"),
        (b'{"ok": false, "error": "\\u001b]52;c;x\\u0007\\n\\u202e' + b"e" * 2000 + b'"}\n', "refused: \ufffd]52;c;x"),
    ],
)
def test_answers_of_something_else(short: Path, answer: bytes, words: str) -> None:
    run = RunDirectory(short / "run")
    with impostor(run) as listener, client_of(run) as client:
        client.send(cmd.Pause())
        connection, _ = listener.accept()
        with connection:
            connection.recv(4096)
            with contextlib.suppress(ConnectionError):
                connection.sendall(answer)
        assert words in problem_of(client)


def test_a_command_is_never_sent_twice(short: Path) -> None:
    run = RunDirectory(short / "run")
    got: list[bytes] = []
    with impostor(run) as listener, client_of(run) as client:

        def take_and_die() -> None:
            for answers in (1, 0):
                connection, _ = listener.accept()
                with connection, connection.makefile("rb") as lines:
                    for _ in range(answers):
                        got.append(lines.readline())
                        connection.sendall(b'{"ok":true}\n')
                    got.append(lines.readline())

        thread = threading.Thread(target=take_and_die)
        thread.start()
        client.send(cmd.Save())
        client.send(cmd.ShiftMargin(0.05))
        assert "shift_margin: the connection ended without an answer" in problem_of(client)
        client.send(cmd.Pause())
        thread.join(20)
        assert not thread.is_alive()
    assert [line.split(b'"')[3] for line in got] == [b"save", b"shift_margin", b"pause"]


def test_closing_gives_up_in_time(short: Path) -> None:
    run = RunDirectory(short / "run")
    with impostor(run) as listener:
        client = ControlClient(run, timeout_s=0.5)
        client.send(cmd.Pause())
        connection, _ = listener.accept()
        with connection:
            client.close(0.01)
            assert client._thread.is_alive()
            assert client.problems() == ["gave up after 0.01 s; the last commands may not have been sent"]
            client._thread.join(20)
    assert not client._thread.is_alive()


def test_problems_are_kept_within_bounds(short: Path) -> None:
    with client_of(RunDirectory(short / "run")) as client:
        for _ in range(PROBLEMS_KEPT + 50):
            client.send(cmd.Pause())
    assert len(client.problems()) == PROBLEMS_KEPT
    assert client.problems() == []
