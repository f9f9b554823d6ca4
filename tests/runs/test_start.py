"""Runs are in the order of the moments at which they were begun, whatever clock on the wall named their folders."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from reid_tui.errors import RunError
from reid_tui.runs.directory import RunDirectory, create_run, locate_run, run_folders
from reid_tui.runs.lock import RunLock
from reid_tui.runs.overview import list_runs, newest_running
from reid_tui.runs.remove import find_removable
from reid_tui.runs.start import started

EARLIER, LATER = 1_790_000_000.5, 1_790_000_060.25
START = '{"event":"run_started","seq":1,"time":%s,"step":0}\n'


@pytest.fixture(params=["config", "log", "nothing but a lock"])
def two(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, Path]]:
    """The older run and the newer one, both held; the older was begun in Tokyo and has the larger name."""
    found = []
    with ExitStack() as resources:
        for zone, moment in (("JST-9", EARLIER), ("UTC0", LATER)):
            monkeypatch.setenv("TZ", zone)
            time.tzset()
            run = create_run(tmp_path, "same")
            resources.callback(RunLock(run.lock).release)
            if request.param != "nothing but a lock":
                run.write_config({"started": moment} if request.param == "config" else {})
            if request.param == "log":
                run.events.write_text(START % moment)
            for path in (run.lock, run.checkpoints):
                os.utime(path, (moment, moment))
            found.append(run.path)
        monkeypatch.undo()
        time.tzset()
        assert found[0].name > found[1].name
        yield found[0], found[1]


def test_one_order_everywhere(two: tuple[Path, Path]) -> None:
    older, newer = two
    runs = older.parent
    assert [started(RunDirectory(path)) for path in two] == pytest.approx([EARLIER, LATER])
    assert run_folders(runs) == [newer, older]
    assert [found.path for found in list_runs(runs)] == [newer, older]
    assert locate_run("latest", runs, begun=False) == newest_running(runs) == newer
    with pytest.raises(RunError, match=rf"2 runs are named 'same'; .*: {newer.name}, {older.name}$"):
        locate_run("same", runs, begun=False)
    with pytest.raises(RunError, match=newer.name):  # it is held, or it would be the one to remove
        find_removable("latest", runs)


def test_runs_of_one_moment_are_in_the_order_of_their_names(tmp_path: Path) -> None:
    for name in ("b", "c", "a"):
        run = create_run(tmp_path, name)
        run.write_config({"started": EARLIER})
    assert [path.name[-1] for path in run_folders(tmp_path)] == ["c", "b", "a"]


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"started": null}', b'{"started": -1}', b'{"started": NaN}'])
def test_a_damaged_config_leaves_the_log_to_tell(damage: bytes, tmp_path: Path) -> None:
    run = create_run(tmp_path, "a")
    run.config.write_bytes(damage)
    run.events.write_text("torn\n" + START % EARLIER + START % LATER)
    assert started(run) == EARLIER


@pytest.mark.parametrize("damage", [b"", b"\0" * 5000, b'{"time":-1', b'{"time":"x"}'])
@pytest.mark.parametrize("name", ["20261232-000000-a", "a", "\udcff"])
def test_without_config_and_log_the_name_tells_and_else_the_oldest_file(
    name: str, damage: bytes, tmp_path: Path
) -> None:
    run = create_run(tmp_path, "a")
    run.config.write_text("{")
    run.events.write_bytes(damage)
    os.utime(run.embeddings, (EARLIER, EARLIER))
    assert started(run) == time.mktime(time.strptime(run.name[:15], "%Y%m%d-%H%M%S"))
    assert started(RunDirectory(run.path.rename(tmp_path / name))) == EARLIER
    assert started(RunDirectory(tmp_path / "gone")) == 0


def test_scripts_are_told_the_moment(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from reid_tui.cli.main import run

    create_run(tmp_path, "a").write_config({"started": EARLIER})
    assert run(["runs", "--json", "--runs-dir", str(tmp_path)]) == 0
    assert json.loads(capsys.readouterr().out)[0]["started"] == EARLIER
