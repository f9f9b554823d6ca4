"""The server against clients that do everything wrong, over real sockets."""

from __future__ import annotations

import contextlib
import os
import resource
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from reid_tui.config import RunConfig
from reid_tui.control import server as control
from reid_tui.control.server import MOST_CLIENTS, socket_path
from reid_tui.control.wire import LINE_LIMIT
from reid_tui.data.dataset import Dataset
from reid_tui.runs.directory import RunDirectory
from reid_tui.runs.lock import holder
from reid_tui.training import commands as cmd
from reid_tui.training import events as ev
from tests.control.lines import OK, PAUSE, Line, Served, connected, serving, until
from tests.training.rig import Rig

NOBODY = 65534
ASK = """
import os, socket, sys
connection = socket.socket(socket.AF_UNIX)
connection.settimeout(20)
if len(sys.argv) > 2:
    os.setgroups([])
    os.setgid(int(sys.argv[2]))
    os.setuid(int(sys.argv[2]))
connection.connect(sys.argv[1])
try:
    connection.sendall(b'{"command":"pause"}\\n')
except BrokenPipeError:
    pass  # turned away before the first byte
print(os.getpid(), connection.makefile().readline())
"""
HAMMER = """
import contextlib, itertools, socket, sys
kinds = [b"\\xff\\x00\\n" * 50, b"x" * 10**6, b'{"command":"resume"}\\n' * 50, b"[" * 4000 + b"\\n", b"half", b""]
while True:
    for data in kinds:
        with socket.socket(socket.AF_UNIX) as connection, contextlib.suppress(OSError):
            connection.settimeout(0.02)
            connection.connect(sys.argv[1])
            connection.sendall(data)
            connection.recv(4096)
"""


@pytest.fixture
def served(short: Path) -> Iterator[Served]:
    with serving(short / "run") as served:
        yield served


def test_a_command_reaches_the_trainer_with_its_sender(served: Served) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ASK, str(served.server.path)], capture_output=True, text=True, check=True
    )
    pid, answer = done.stdout.split(maxsplit=1)
    assert answer.strip() == '{"ok": true}'
    assert served.taken == [(cmd.Pause(), f"attach {pid}")]


def test_lines_are_taken_in_order_however_they_arrive(served: Served) -> None:
    lines = b"".join(b'{"command":"set_margin","value":%d}\n' % value for value in range(1, 21))
    with connected(served.run) as line:
        for start in range(0, len(lines), 7):
            line.socket.sendall(lines[start : start + 7])
        line.socket.shutdown(socket.SHUT_WR)
        assert [line.answer() for _ in range(20)] == [OK] * 20
        assert line.answer() is None
    assert served.commands == [cmd.SetMargin(float(value)) for value in range(1, 21)]


@pytest.mark.parametrize(
    "garbage",
    [
        b"\n",
        b"\x00\xff\xfe\n",
        b"GET / HTTP/1.1\r\n",
        b"[" * 4000 + b"\n",
        b'{"command":"set_margin","value":NaN}\n',
        b'{"command":"set_margin","value":1e999}\n',
        b'{"command":"set_margin","value":' + b"9" * 4000 + b"}\n",
        b'{"command":"pause","command":"stop"}\n',
        b"x" * (LINE_LIMIT - 1) + b"\n",
    ],
)
def test_after_an_error_the_connection_goes_on(served: Served, garbage: bytes) -> None:
    with connected(served.run) as line:
        answer = line.ask(garbage)
        assert answer["ok"] is False
        assert answer["error"].isprintable()
        assert line.ask(PAUSE) == OK
    assert served.commands == [cmd.Pause()]


def test_a_line_without_end_is_cut_off_and_never_kept(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    receive = control._Client.receive

    def spy(client: control._Client) -> bool:
        going_on = receive(client)
        sizes.append(len(client.buffer))
        return going_on

    monkeypatch.setattr(control._Client, "receive", spy)
    with connected(served.run) as line:
        with pytest.raises(OSError, match=r"Broken pipe|reset"):
            line.socket.sendall(bytes(10**9))
        answer = line.answer()
        assert "at most 4096 bytes" in answer["error"]
        assert line.answer() is None
    assert max(sizes) == LINE_LIMIT
    assert sum(sizes) <= 2 * LINE_LIMIT
    assert served.taken == []


@pytest.mark.parametrize("before", [b"", PAUSE])
def test_half_a_line_and_silence(short: Path, before: bytes) -> None:
    with (
        serving(short / "run", line_timeout_s=0.1) as served,
        connected(served.run) as line,
        connected(served.run) as silent,
    ):
        line.socket.sendall(before + b'{"command":')
        answers = [line.answer() for _ in range(2 if before else 1)]
        assert "finished within 0.1 s" in answers.pop()["error"]
        assert answers == ([OK] if before else [])
        assert line.answer() is None
        assert silent.ask(PAUSE) == OK, "one that has begun no line may stay"


def test_a_line_that_trickles_has_no_longer_than_one_that_stops(short: Path) -> None:
    with serving(short / "run", line_timeout_s=0.2) as served, connected(served.run) as line:
        line.socket.settimeout(0.02)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for _ in range(1000):
                line.socket.sendall(b"x")
                with contextlib.suppress(TimeoutError):
                    assert b"finished within" in line.socket.recv(4096)
                    return
        pytest.fail("it was never told")


def test_the_ninth_client_is_turned_away_until_one_leaves(served: Served) -> None:
    with contextlib.ExitStack() as stack:
        lines = [stack.enter_context(connected(served.run)) for _ in range(MOST_CLIENTS)]
        assert [line.ask(PAUSE) for line in lines] == [OK] * MOST_CLIENTS
        with connected(served.run) as ninth:
            assert "8 others are connected" in ninth.answer()["error"]
            assert ninth.answer() is None
        lines[0].close()
        until(lambda: len(served.server._clients) < MOST_CLIENTS)
        with connected(served.run) as another:
            assert another.ask(PAUSE) == OK


def test_a_thousand_connections(served: Served) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    lines: list[Line] = []
    try:
        lines.extend(Line(served.server.path) for _ in range(1000))
        assert all("8 others" in line.answer()["error"] for line in lines[MOST_CLIENTS:])
        assert [line.ask(PAUSE) for line in lines[:MOST_CLIENTS]] == [OK] * MOST_CLIENTS
    finally:
        for line in lines:
            line.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    until(lambda: not served.server._clients)
    with connected(served.run) as line:
        assert line.ask(PAUSE) == OK


def test_a_client_that_never_reads_is_closed(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "_ROUND_S", 0.0)
    with connected(served.run) as line, contextlib.suppress(BrokenPipeError, ConnectionResetError):
        for _ in range(2**20):
            line.socket.sendall(PAUSE)
        pytest.fail("the server took everything")
    until(lambda: not served.server._clients)
    assert len(served.taken) < 20_000


def test_one_client_cannot_flood_the_trainer(served: Served) -> None:
    rounds: list[int] = []
    attend = served.server._attend

    def counted(client: control._Client, *, readable: bool) -> bool:
        before = len(served.taken)
        going_on = attend(client, readable=readable)
        rounds.append(len(served.taken) - before)
        return going_on

    served.server._attend = counted  # type: ignore[method-assign]
    with connected(served.run) as line:
        line.socket.sendall(PAUSE * 30)
        assert [line.answer() for _ in range(30)] == [OK] * 30
    assert max(rounds) == 1


def test_an_unexpected_error_costs_one_connection(
    short: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(control, "_AFTER_ERROR_S", 0.0)
    taken: list[cmd.Command] = []

    def take(command: cmd.Command, _origin: str) -> None:
        if command == cmd.Save():
            raise RuntimeError("nobody expected this")
        taken.append(command)

    with serving(short / "run", take) as served, connected(served.run) as bystander:
        for _ in range(20):
            with connected(served.run) as line:
                assert line.ask(b'{"command":"save"}\n') is None
        assert bystander.ask(PAUSE) == OK
    assert taken == [cmd.Pause()]
    assert sum("nobody expected this" in record.exc_text for record in caplog.records if record.exc_text) == 10


def test_closing_ends_the_thread_the_connections_and_the_file(short: Path) -> None:
    before = threading.active_count()
    with serving(short / "run") as served, connected(served.run) as line:
        assert line.ask(PAUSE) == OK
        assert holder(served.run.lock) == os.getpid()
        served.server.close()
        assert line.answer() is None
        assert not served.server.path.exists()
        assert threading.active_count() == before
        served.server.close()
    assert socket_path(served.run) is None


def test_another_users_connection_is_refused(served: Served) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    path = served.server.path
    for folder in (path.parent, path.parent.parent):
        folder.chmod(0o755)
    path.chmod(0o666)
    done = subprocess.run(
        [sys.executable, "-c", ASK, str(path), str(NOBODY)], capture_output=True, text=True, check=True
    )
    assert "belongs to another user" in done.stdout
    assert served.taken == []


def test_private_whatever_the_umask(short: Path) -> None:
    before = os.umask(0)
    try:
        with serving(short / "run") as served:
            assert stat.S_IMODE(served.server.path.stat().st_mode) == 0o600
            assert stat.S_IMODE(served.run.path.stat().st_mode) == 0o700
    finally:
        os.umask(before)


@pytest.mark.slow
def test_training_goes_on_under_a_hammer(tiny: Dataset, tiny_config: RunConfig, tmp_path: Path, short: Path) -> None:
    quiet = Rig(tiny_config, tiny, tmp_path / "quiet")
    assert isinstance(quiet.run(), ev.Finished)
    rig = Rig(tiny_config, tiny, tmp_path / "hammered")
    with serving(short / "run", lambda command, _origin: rig.inbox.put(command), line_timeout_s=0.1) as served:
        hammers = [subprocess.Popen([sys.executable, "-c", HAMMER, str(served.server.path)]) for _ in range(2)]
        try:
            for step in (1, 8, 16):
                rig.at[step] = lambda: until(lambda: rig.inbox._queue.qsize() > 5)
            end = rig.run()
        finally:
            for process in hammers:
                process.kill()
                process.wait()
    assert isinstance(end, ev.Finished)
    assert sum(event.count for event in rig.told(ev.CommandRefused)) > 15
    assert rig.losses() == quiet.losses()
    assert socket_path(RunDirectory(short / "run")) is None
