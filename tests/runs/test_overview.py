from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from reid_tui.errors import RunError
from reid_tui.runs import log_end as tail
from reid_tui.runs.lock import RunLock, holder
from reid_tui.runs.overview import RunSummary, list_runs, summarize
from reid_tui.training.events import EVENT_TYPES

HOLD = """
import sys, time
from pathlib import Path
from reid_tui.runs.lock import RunLock
lock = RunLock(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(600)
"""


def line(event: str, step: int, **fields: Any) -> str:
    """As `EventLog` writes it."""
    return json.dumps({"event": event, "seq": 1, "time": 1000.0 + step, "step": step, **fields}, separators=(",", ":"))


def start(step: int = 0, *, pid: int = 1, total: int = 40) -> str:
    return line("run_started", step, margin=1.0, pid=pid, total_steps=total, steps_per_epoch=20)


def progress(step: int, loss: float | None = 0.5, margin: float = 1.0) -> str:
    return line("progress", step, epoch=1, loss=loss, margin=margin)


def scores(step: int, value: float) -> str:
    return line("evaluated", step, split="test", map=value)


def made(runs: Path, *lines: str, name: str = "20260101-000000-a", config: object = None) -> Path:
    path = runs / name
    path.mkdir(parents=True)
    if config is None:
        config = {"config": {"data": "tiny", "epochs": 2, "steps": None, "margin": 2.0}, "dataset": {"name": "tiny"}}
    (path / "config.json").write_text(json.dumps(config))
    (path / "events.jsonl").write_text("".join(f"{item}\n" for item in lines))
    (path / "lock").write_text("1\n")
    return path


@contextmanager
def held(path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The run's lock in another process."""
    command = [sys.executable, "-c", HOLD, str(path / "lock")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"held\n"
            yield process
        finally:
            process.kill()


def test_the_kinds_are_those_of_the_log() -> None:
    assert {*tail.ENDS, *tail._MARKS, *tail._STEERED, "evaluated", "margin_changed"} <= set(EVENT_TYPES)


def test_everything_that_the_log_tells(tmp_path: Path) -> None:
    path = made(
        tmp_path,
        start(),
        scores(0, 0.1),
        progress(10, 0.7),
        line("margin_changed", 10, old=1.0, new=1.25),
        scores(20, 0.6),
        progress(39, 0.25, margin=1.25),
        progress(40, None, margin=1.25),
        line("finished", 40, reason="epochs", steps=40),
    )
    (path / "checkpoints").mkdir()
    (path / "checkpoints" / "big").write_bytes(b"x" * 5000)
    (path / "elsewhere").symlink_to("/usr")
    files = sum((path / name).stat().st_size for name in ("config.json", "events.jsonl", "lock"))
    assert summarize(path) == RunSummary(
        path=path,
        status="finished",
        pid=None,
        data="tiny",
        step=40,
        total_steps=40,
        loss=0.25,
        map=0.6,
        map_step=20,
        margin=1.25,
        started=1000.0,
        time=1040.0,
        size=files + 5000,
    )


@pytest.mark.parametrize(("loss", "margin"), [("contrastive", 1.0), ("ntxent", None), (["ntxent"], 1.0)])
def test_a_loss_without_a_margin_has_none(loss: object, margin: float | None, tmp_path: Path) -> None:
    path = made(tmp_path, start(), progress(10), config={"config": {"loss": loss, "margin": 2.0}})
    assert summarize(path).margin == margin


def test_what_a_person_took_back_is_left_out(tmp_path: Path) -> None:
    lines = [
        start(pid=os.getpid()),
        scores(8, 0.5),
        progress(8, 0.2),
        line("margin_changed", 9, old=1.0, new=3.0),
        scores(12, 0.1),
        progress(12, 1e20, margin=3.0),
        line("diverged", 15, reason="x", checkpoint=""),
        line("rewound", 8, from_step=15, margin=1.0, lr=1e-3),
        line("paused", 8),
    ]
    found = summarize(made(tmp_path, *lines))
    assert (found.status, found.step, found.loss, found.margin) == ("crashed", 8, 0.2, 1.0)
    assert (found.map, found.map_step) == (0.5, 8)
    path = made(tmp_path, *lines, name="20260102-000000-b")
    lock = RunLock(path / "lock")
    assert summarize(path).status == "paused"
    lock.release()


STOPPED = line("stopped", 10, reason="asked", saved=True)
DIVERGED = line("diverged", 10, reason="x", checkpoint="")


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ([], "crashed"),
        ([start()], "crashed"),
        ([start(), progress(10)], "crashed"),
        ([start(), progress(10), line("paused", 10)], "crashed"),
        ([start(), progress(10), line("failed", 10, message="x")], "failed"),
        ([start(), progress(10), STOPPED], "stopped"),
        ([start(), progress(10), DIVERGED], "diverged"),
        ([start(), progress(10), DIVERGED, STOPPED], "stopped"),
        ([start(), progress(10), DIVERGED, line("resumed", 10)], "crashed"),
        ([start(), progress(10), STOPPED, start(10)], "crashed"),
        ([start(), progress(10), STOPPED, start(10), line("finished", 40)], "finished"),
        ([start(), progress(10), STOPPED, line("warned", 10, code="x", message="late")], "stopped"),
    ],
)
def test_a_run_that_nobody_holds_is_what_its_last_event_says(tmp_path: Path, lines: list[str], status: str) -> None:
    found = summarize(made(tmp_path, *lines))
    assert (found.status, found.pid) == (status, None)


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ([], "running"),
        ([start(pid=os.getpid()), progress(10)], "running"),
        ([start(pid=os.getpid()), progress(10), line("paused", 10)], "paused"),
        ([start(pid=os.getpid()), progress(10), line("paused", 10), progress(11)], "paused"),
        ([start(pid=os.getpid()), line("paused", 10), line("resumed", 10)], "running"),
        ([start(pid=os.getpid()), progress(10), DIVERGED], "diverged"),
        ([start(pid=os.getpid()), progress(10), DIVERGED, line("resumed", 10)], "running"),
        ([start(pid=1), progress(10), STOPPED], "running"),
        ([start(pid=1), progress(10), line("paused", 10)], "running"),
    ],
)
def test_a_run_that_is_held(tmp_path: Path, lines: list[str], status: str) -> None:
    path = made(tmp_path, *lines)
    lock = RunLock(path / "lock")
    found = summarize(path)
    lock.release()
    assert (found.status, found.pid) == (status, os.getpid())


def test_a_killed_process_leaves_a_crashed_run(tmp_path: Path) -> None:
    path = made(tmp_path, start(), progress(10))
    with held(path) as process:
        pid = process.pid
        assert holder(path / "lock") == pid
        assert (summarize(path).status, summarize(path).pid) == ("running", pid)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert holder(path / "lock") is None
        found = summarize(path)
    assert (found.status, found.pid, found.step) == ("crashed", None, 10)
    assert (path / "lock").read_text() == f"{pid}\n", "the number is still there, and does not count"


def test_asking_who_holds_a_lock_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert holder(path) is None
    assert not path.exists()
    path.write_text("77\n")
    before = path.stat().st_mtime_ns
    assert holder(path) is None
    assert (path.read_text(), path.stat().st_mtime_ns) == ("77\n", before)
    lock = RunLock(path)
    path.write_text("no number\n")
    assert holder(path) == 0
    lock.release()


def test_a_writer_is_not_turned_away_by_one_who_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "lock"
    path.write_text("")
    asking = os.open(path, os.O_RDONLY)
    fcntl.flock(asking, fcntl.LOCK_SH)
    monkeypatch.setattr(time, "sleep", lambda seconds: os.close(asking))
    RunLock(path).release()


def test_what_a_resume_took_back_does_not_count(tmp_path: Path) -> None:
    path = made(tmp_path, start(), progress(20, 0.5), scores(20, 0.6), progress(30, 0.1), scores(30, 0.9), start(20))
    found = summarize(path)
    assert (found.step, found.loss, found.map) == (20, 0.5, 0.6)


def test_a_run_begun_anew_in_its_folder_forgets_what_was(tmp_path: Path) -> None:
    found = summarize(made(tmp_path, start(), progress(20, 0.5), scores(20, 0.6), start(0)))
    assert (found.loss, found.map) == (None, None)


def test_torn_and_hostile_lines(tmp_path: Path) -> None:
    path = made(tmp_path, start(), progress(10, 0.5), scores(10, 0.6))
    junk = [
        b"\xff\xfe\x00",
        b"[" * 100_000,
        b"[]",
        b"",
        b'{"event":["progress"],"step":11}',
        b'{"event":"progress","step":true,"loss":1}',
        b'{"event":"progress","step":-1,"loss":1}',
        b'{"event":"progress","step":11,"loss":"high","margin":{}}',
        b'{"event":"evaluated","step":11,"map":1e999,"time":NaN}',
        b'{"event":"progress","step":' + b"9" * 6000 + b"}",
        b'{"event":"finished","st',
    ]
    with (path / "events.jsonl").open("ab") as log:
        log.write(b"\n".join(junk))
    found = summarize(path)
    assert (found.status, found.step, found.loss, found.map) == ("crashed", 11, 0.5, 0.6)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"config": 3, "dataset": [1]}', b"\xff", b"[" * 9**5])
def test_a_broken_config_and_no_log_are_still_listed(tmp_path: Path, content: bytes) -> None:
    path = made(tmp_path)
    (path / "config.json").write_bytes(content)
    (path / "events.jsonl").unlink()
    (found,) = list_runs(tmp_path)
    assert (found.name, found.status, found.data, found.step, found.age_s) == (path.name, "crashed", None, None, None)


def test_a_pipe_where_the_log_should_be_is_not_waited_for(tmp_path: Path) -> None:
    path = made(tmp_path)
    for name in ("events.jsonl", "config.json", "lock"):
        (path / name).unlink()
        os.mkfifo(path / name)
    assert list_runs(tmp_path)[0].status == "crashed"


def test_only_the_ends_of_a_long_log_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tail, "TAIL", 4096)
    monkeypatch.setattr(tail, "HEAD", 1024)
    monkeypatch.setattr(tail, "CHUNK", 100)
    reads: list[int] = []
    pread = os.pread
    monkeypatch.setattr(os, "pread", lambda fd, size, at: reads.append(size) or pread(fd, size, at))
    steps = [progress(step, step / 1000) for step in range(1, 1001)]
    path = made(tmp_path, start(total=5000), scores(0, 0.3), *steps)
    assert (path / "events.jsonl").stat().st_size > 50_000
    found = summarize(path)
    assert sum(reads) <= 4096 + 1024 + 2 * 2**20 + 4096  # the rest is config.json, and where the log begins
    assert (found.step, found.loss, found.status) == (1000, 1.0, "crashed")
    assert found.map is None, "it stands between the two ends"
    assert found.total_steps == 40, "two epochs of twenty, as config.json has it since a resume may have changed them"


@pytest.mark.parametrize("chunk", [1, 7, 64, 10_000])
def test_lines_come_back_whole_whatever_the_chunk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    monkeypatch.setattr(tail, "CHUNK", chunk)
    lines = [b"first", b"", b"a" * 200, b"last"]
    path = tmp_path / "log"
    path.write_bytes(b"\n".join(lines))
    with path.open("rb") as file:
        assert list(tail._backwards(file.fileno())) == lines[::-1]


def test_newest_first_and_only_runs(tmp_path: Path) -> None:
    for day in (2, 3, 1):
        made(tmp_path, name=f"2026010{day}-000000-a")
    (tmp_path / "notes").mkdir()
    (tmp_path / "file").write_text("")
    assert [run.name[:8] for run in list_runs(tmp_path)] == ["20260103", "20260102", "20260101"]


def test_no_folder_is_no_run_and_a_file_is_an_error(tmp_path: Path) -> None:
    assert list_runs(tmp_path / "none") == []
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match=r"cannot read the runs folder .*--runs-dir"):
        list_runs(tmp_path / "file")


def test_a_clock_that_was_set_back(tmp_path: Path) -> None:
    path = made(tmp_path, line("progress", 10, loss=0.5) + "\n" + line("paused", 10**10))
    assert summarize(path).age_s == 0.0
