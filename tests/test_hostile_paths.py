"""Paths that lead nowhere, or where nothing can be made: each is one line and exit code 2, whatever takes it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from reid_tui.bench.command import run_bench
from reid_tui.cli import main as cli
from reid_tui.config import RunOptions, ScreenOptions
from reid_tui.data.idx.locate import places
from reid_tui.errors import DataError, RunError
from reid_tui.runs.directory import check_writable, create_run
from reid_tui.tui.app import run_dashboard
from tests.another_user import as_another_user

NOWHERE: Final = {
    "link to nothing": "dangling",
    "below a link to nothing": "dangling/runs",
    "far below a link to nothing": "dangling/a/b/runs",
    "file": "file",
    "below a file": "file/a/runs",
    "proc": "/proc/x",
    "below proc": "/proc/x/runs",
    "link loop": "loop",
    "below a link loop": "loop/runs",
    "name of 300 characters": "n" * 300,
    "below a name of 300 characters": f"{'n' * 300}/runs",
    "NUL": "a\0b/runs",
    "half a surrogate pair": "\ud800/runs",
}
ABSENT: Final = [name for name in NOWHERE if "nothing" in name or "proc" in name]
"""Not there, as any folder may be that is still to be made: only making it fails."""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dangling").symlink_to(tmp_path / "gone" / "far")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").write_text("")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.json").write_text("{}")
    (tmp_path / "run" / "lock").write_text("")
    for command in ("dashboard", "attach"):
        monkeypatch.setattr(f"reid_tui.cli.{command}.check_terminal", lambda _: None)
    monkeypatch.setattr("reid_tui.launch.tethered", lambda show, *_: show(None))
    monkeypatch.setattr("reid_tui.tui.app.Hangup.watch", lambda _: None)
    return tmp_path


@pytest.mark.parametrize("name", NOWHERE)
def test_no_run_can_be_kept_there(name: str, here: Path) -> None:
    before = sorted(here.iterdir())
    path = NOWHERE[name]
    for look in (check_writable, lambda folder: create_run(folder, "a")):
        with pytest.raises(RunError, match=r"cannot write to the runs folder .*; name another with --runs-dir$"):
            look(Path(path))
    with pytest.raises(RunError, match="cannot write to the runs folder"):
        run_dashboard(RunOptions(runs_dir=path), ScreenOptions())
    assert sorted(here.iterdir()) == before


@pytest.mark.slow
@pytest.mark.parametrize("name", NOWHERE)
@pytest.mark.parametrize(
    "argv",
    [
        ["train", "--runs-dir", "{}"],
        ["train", "--resume", "{}"],
        ["train", "--replay", "{}"],
        ["attach", "{}"],
        ["attach", "--runs-dir", "{}"],
        ["attach", "latest", "--runs-dir", "{}"],
        ["runs", "rm", "{}"],
        ["runs", "rm", "latest", "--runs-dir", "{}"],
        ["runs", "rm", "run", "--runs-dir", "{}"],
        ["runs", "--runs-dir", "{}"],
    ],
    ids=" ".join,
)
def test_every_command_says_so_in_one_line(name: str, argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    code = cli.run([word.replace("{}", NOWHERE[name]) for word in argv])
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("\n") == 1, told.err
    assert told.err.startswith("reid-tui: ")
    assert "unexpected" not in told.err
    assert code == (0 if argv[:2] == ["runs", "--runs-dir"] and name in ABSENT else 2)


@pytest.mark.parametrize("name", [name for name in NOWHERE if name not in ABSENT])
def test_no_data_can_lie_there(name: str) -> None:
    with pytest.raises(DataError, match=r"--data-dir .*; name the folder that holds the files$"):
        places(NOWHERE[name])
    with pytest.raises(DataError, match=r"--data-dir .*; name the folder that holds the files$"):
        run_bench(rounds=1, steps=100, only=("plain",), as_json=True, data="mnist", data_dir=NOWHERE[name])


def test_where_one_may_not_write(tmp_path: Path) -> None:
    code = """
from pathlib import Path
from reid_tui.errors import RunError
from reid_tui.runs.directory import check_writable, create_run
become()
for path in ("runs", "a/b/runs", "."):
    for look in (check_writable, lambda folder: create_run(folder, "a")):
        try:
            look(Path(path))
        except RunError as error:
            print(error)
"""
    lines = as_another_user(code, tmp_path).splitlines()
    assert len(lines) == 6
    assert all("Permission denied; name another with --runs-dir" in line for line in lines)
