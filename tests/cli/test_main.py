from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from reid_tui import __version__
from reid_tui.cli import dashboard, train
from reid_tui.cli.main import run
from reid_tui.config import RunOptions, ScreenOptions
from reid_tui.tui.terminal.look import LOCAL_FPS, REMOTE_FPS


def said(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str]:
    """Exit code and the one line on stderr."""
    code = run(list(argv))
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1, captured.err
    return code, captured.err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"reid-tui {__version__}\n"


def test_every_option_is_a_field_and_the_other_way_round() -> None:
    run, screen = set(RunOptions.__dataclass_fields__), set(ScreenOptions.__dataclass_fields__)
    own = {"context", "replay", "as_json", "progress"}
    assert set(inspect.signature(train.train).parameters) - own == run
    own = {"context", "version", "debug"}
    assert set(inspect.signature(dashboard.dashboard).parameters) - own == run | screen - {"mouse"} | {"no_mouse"}


@pytest.mark.slow
@pytest.mark.parametrize("before", [[], ["train"]])
@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--epochs", "0", "whole number from 1"),
        ("--epochs", "abc", "'abc'"),
        ("--steps", "-3", "whole number from 1"),
        ("--at", "-1", "whole number from 0"),
        ("--at", "40", "give --resume RUN too"),
        ("--batch-size", "1", "from 2 to 16384"),
        ("--batch-size", "1000000", "from 2 to 16384"),
        ("--lr", "0", "above 0"),
        ("--lr", "nan", "'nan'"),
        ("--margin", "-1", "above 0"),
        ("--margin", "inf", "'inf'"),
        ("--seed", "-1", "from 0"),
        ("--embedding-dim", "1", "from 2"),
        ("--eval-every", "0", "above 0"),
        ("--data", "imagenet", "fashion-mnist, mnist, kmnist, pedestrians"),
        ("--preset", "x", "tutorial, fast"),
        ("--model", "Res-Net", "tutorial"),
        ("--loss", "quadruplet", "contrastive, triplet"),
        ("--pairs", "hard", "random, batch"),
        ("--precision", "fp8", "auto, fp32, bf16"),
        ("--device", "tpu", "auto, cpu, cuda, cuda:N or mps"),
        ("--name", "../up", "1 to 64 letters"),
        ("--frobnicate", "1", "No such option"),
        ("--epoch", "1", "No such option: --epoch (Possible options: --epochs,"),
    ],
)
def test_one_line_with_the_value_and_exit_2(
    before: list[str], option: str, value: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, line = said(capsys, *before, option, value)
    assert code == 2
    assert line.startswith("reid-tui: ")
    assert words in line
    assert option in line


@pytest.mark.parametrize(
    "argv",
    [
        ["--resume", ""],
        ["--runs-dir="],
        ["--data-dir", ""],
        ["--name", ""],
        ["train", "--resume", ""],
        ["train", "--replay", ""],
        ["train", "--runs-dir", ""],
        ["train", "--data-dir="],
        ["attach", ""],
        ["attach", "--runs-dir", ""],
        ["data", ""],
        ["data", "--data-dir", ""],
        ["bench", "--data-dir", ""],
        ["runs", "--runs-dir", ""],
        ["runs", "rm", "", "--yes"],
    ],
    ids=" ".join,
)
def test_empty_is_neither_absent_nor_here(
    argv: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "events.jsonl").write_text("")
    monkeypatch.chdir(tmp_path)
    code, line = said(capsys, *argv)
    assert code == 2
    assert "empty" in line or "''" in line
    assert {path.name for path in tmp_path.iterdir()} == {"config.json", "events.jsonl"}


def test_an_empty_variable_is_an_absent_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REID_TUI_RUNS", "")
    assert run(["runs"]) == 0
    assert "no run in 'runs' yet" in capsys.readouterr().err


@pytest.mark.parametrize("environ", [False, True])
def test_a_home_folder_is_expanded(
    environ: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run_path = tmp_path / "rr" / "20260101-000000-a"
    run_path.mkdir(parents=True)
    (run_path / "config.json").write_text("{}")
    (run_path / "events.jsonl").write_text("")
    monkeypatch.setenv("HOME", str(tmp_path))
    if environ:
        monkeypatch.setenv("REID_TUI_RUNS", "~/rr")
    assert run(["runs", "--json", *([] if environ else ["--runs-dir=~/rr"])]) == 0
    assert str(run_path) in capsys.readouterr().out
    assert run(["runs", "rm", "~/rr/20260101-000000-a", "--yes"]) == 0
    assert not run_path.exists()
    capsys.readouterr()
    code, line = said(capsys, "data", "mnist", "--data-dir", "~nobody-by-this-name/x")
    assert code == 2
    assert "'~nobody-by-this-name/x'" in line


def test_options_before_a_command_are_not_lost_silently(capsys: pytest.CaptureFixture[str]) -> None:
    code, line = said(capsys, "--margin", "2", "train")
    assert code == 2
    assert "--margin stands before 'train'" in line


def test_unknown_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "trian")[0] == 2


@pytest.mark.parametrize(
    ("option", "value"), [("--fps", "0"), ("--glyphs", "emoji"), ("--color", "pink"), ("--theme", "pink")]
)
def test_screen_options(option: str, value: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, option, value)[0] == 2


def test_fps_is_settled_by_the_environment_unless_given(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[ScreenOptions] = []
    monkeypatch.setattr("reid_tui.cli.attach.check_terminal", lambda _: None)
    monkeypatch.setattr("reid_tui.launch.tethered", lambda show, _: show(None))
    monkeypatch.setattr("reid_tui.runs.overview.newest_running", Path)
    monkeypatch.setattr("reid_tui.tui.app.run_attached", lambda _run, screen, _tether, **_: seen.append(screen))
    for name in ("SSH_CONNECTION", "SSH_TTY", "SSH_CLIENT"):
        monkeypatch.delenv(name, raising=False)
    assert run(["attach"]) == 0
    monkeypatch.setenv("SSH_TTY", "/dev/pts/3")
    for more in ([], ["--fps", "auto"], ["--fps", "25", "--no-mouse"]):
        assert run(["attach", *more]) == 0
    assert [screen.fps for screen in seen] == [LOCAL_FPS, REMOTE_FPS, REMOTE_FPS, 25]
    assert [screen.mouse for screen in seen] == [True, True, True, False]


def test_progress_and_bench_and_data(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "train", "--progress", "loud")[0] == 2
    assert said(capsys, "bench", "--rounds", "0")[0] == 2
    code, line = said(capsys, "data", "nope\x1b[31m")
    assert code == 2
    assert "\x1b" not in line


@pytest.mark.slow
def test_pairs_can_be_seen_without_colour(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal too, a half block without its two colours shows nothing."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("NO_COLOR", "1")
    assert run(["data", "pedestrians", "--pairs", "2"]) == 0
    shown = capsys.readouterr().out
    assert "\u2580" not in shown
    assert "SAME" in shown


def test_without_a_terminal_the_dashboard_names_the_headless_command(capsys: pytest.CaptureFixture[str]) -> None:
    code, line = said(capsys)
    assert code == 2
    assert "reid-tui train" in line


def test_debug_shows_where(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["train", "--epochs", "0", "--debug"]) == 2
    assert "Traceback" in capsys.readouterr().err


def test_the_parser_is_not_asked_about_a_path_of_a_runs_folder(
    capsys: pytest.CaptureFixture[str], tmp_path: object
) -> None:
    (tmp_path / "file").write_text("")  # type: ignore[attr-defined]
    code, line = said(capsys, "train", "--runs-dir", f"{tmp_path}/file/runs")
    assert code == 2
    assert "--runs-dir" in line
