"""Runs of another user: what may not be read is not absent, and what may be read is shown."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from reid_tui.files import owner, user_name
from reid_tui.runs.directory import create_run
from reid_tui.runs.lock import RunLock
from tests.another_user import UID, as_another_user

ASK = """
import _strptime, contextlib, io
from pathlib import Path
from reid_tui import launch
from reid_tui.cli import attach as attached, main as cli
import reid_tui.tui.app
attached.check_terminal = lambda _: None
launch.tethered = lambda show, *_: show(None)
def ask(*argv):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = cli.run(list(argv))
    return f"{code} {out.getvalue().strip().splitlines()[-1:]} {err.getvalue().strip()}"
def ask_all(spec, runs):
    yield ask("attach", spec, "--runs-dir", runs)
    yield ask("runs", "rm", spec, "--yes", "--runs-dir", runs)
    yield ask("train", "--resume", spec, "--runs-dir", runs)
    yield ask("train", "--replay", spec, "--runs-dir", runs)
list(ask_all("latest", "none")), ask("runs", "--runs-dir", "warm"), ask("runs", "--json", "--runs-dir", "warm")
become()
"""
"""What is imported once the process is another user's cannot be found, so each command is tried before."""


def made(runs: Path, name: str, mode: int) -> Path:
    """A run of ours, open to others as far as `mode` says."""
    run = create_run(runs, name)
    run.write_config({"started": 1_790_000_000.5})
    RunLock(run.lock).release()
    run.path.chmod(mode)
    runs.chmod(0o755)
    return run.path


@pytest.mark.slow
@pytest.mark.parametrize("mode", [0o700, 0o755], ids=["closed folder", "closed files"])
def test_what_may_not_be_read_is_said_to_be_there(mode: int, tmp_path: Path) -> None:
    run = made(tmp_path / "runs", "a", mode)
    made(tmp_path / "warm", "a", 0o700)
    (tmp_path / "runs" / "lost+found").mkdir(mode=0o700)
    told = as_another_user(
        ASK
        + f"""
print(ask("runs", "--runs-dir", "runs"))
print(ask("attach", "--runs-dir", "runs"))
for spec in ("latest", "a", "{run.name}", "runs/{run.name}", "{run}"):
    print(*ask_all(spec, "runs"), sep="\\n")
""",
        tmp_path,
    )
    listed, *refused = told.splitlines()
    assert listed.startswith(f"0 ['{run.name}  not readable for you ")
    assert len(refused) == 21
    for line in refused:
        assert line.startswith("2 [] reid-tui: "), line
        assert line.count("readable for you; ") == 1, line
        assert "yet" not in line
    assert any(f"it belongs to {user_name(os.geteuid())}, ask for the right" in line for line in refused)
    assert run.is_dir()


def test_beside_runs_of_others_ones_own_are_found(tmp_path: Path) -> None:
    made(tmp_path / "runs", "a", 0o700)
    mine = made(tmp_path / "runs", "a", 0o755)
    made(tmp_path / "runs", "a", 0o755)
    for path in (mine, *mine.iterdir()):
        os.chown(path, UID, UID) if not os.geteuid() else None
    told = as_another_user(
        ASK
        + """
from reid_tui.opening.place import newest_to_go_on
from reid_tui.runs.directory import locate_run, runs_named
runs = Path("runs")
print(locate_run("latest", runs), locate_run("a", runs), len(runs_named("a", runs)), newest_to_go_on("a", runs))
print(ask("attach", "--runs-dir", "runs"), ask("runs", "--json", "--runs-dir", "runs"), sep="\\n")
""",
        tmp_path,
    ).splitlines()
    path = f"runs/{mine.name}"
    assert told[0] == f"{path} {path} 1 None"
    assert told[1].endswith(
        f"no run in 'runs' that is readable for you is running; 'reid-tui attach {mine.name}' shows the newest"
    )
    assert told[2].startswith("0 [']']")


def test_a_folder_out_of_reach_belongs_to_whoever_keeps_us_out(tmp_path: Path) -> None:
    (tmp_path / "closed" / "below").mkdir(parents=True)
    (tmp_path / "closed").chmod(0o700)
    told = as_another_user(
        """
from pathlib import Path
from reid_tui.files import is_closed, owner
import pwd, encodings.idna
become()
print(*(is_closed(Path(name)) for name in ("closed/below", "nowhere", "a\\0b")), owner(Path("closed/below")))
""",
        tmp_path,
    )
    assert told == f"True False False {user_name(os.geteuid())}\n"
    assert owner(tmp_path / "none" / "none") == user_name(tmp_path.stat().st_uid)
    assert user_name(UID) == f"user {UID}"
