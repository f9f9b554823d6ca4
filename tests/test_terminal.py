"""The installed command in a real terminal, with keys pressed, on real data."""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reid_tui.training.checkpoint import load_latest
from tests.conftest import fashion_mnist_is_here, miss
from tests.test_detach import Left
from tests.tmux import Tmux

REID_TUI = shutil.which("reid-tui")


def events(folder: Path) -> list[dict[str, Any]]:
    (log,) = folder.glob("runs/*/events.jsonl")
    return [json.loads(line) for line in log.read_text().splitlines()]


def says(*words: str) -> Any:
    return lambda screen: all(word in screen for word in words)


def answer(terminal: Tmux, *command: str) -> str:
    """What a command prints on a cleared screen, once the prompt is back."""
    terminal.run("clear")
    terminal.until(lambda screen: screen.strip() == "$", 20)
    terminal.run(*command)
    return terminal.until(lambda screen: screen.count("$ ") == 1 and screen.rstrip().endswith("\n$"), 20)


@pytest.fixture(autouse=True)
def nothing_is_left(tmp_path: Path) -> Iterator[None]:
    """A run outlives its terminal, also that of a test that failed."""
    yield
    Left(tmp_path).end()


@pytest.fixture(scope="module")
def command() -> list[str]:
    if shutil.which("tmux") is None:
        miss("tmux is not installed")
    if not fashion_mnist_is_here():
        miss("Fashion-MNIST is not on this machine (Debian: dataset-fashion-mnist)")
    assert REID_TUI, "the package is not installed"
    return [REID_TUI, "--data", "fashion-mnist", "--seed", "1"]


@pytest.mark.slow
@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40)])
def test_start_pause_turn_the_margin_save_quit(width: int, height: int, command: list[str], tmp_path: Path) -> None:
    with Tmux(width, height, tmp_path) as terminal:
        before = answer(terminal, "stty", "-a")
        assert "echoe" in before
        terminal.run("clear")
        terminal.run(*command)
        terminal.until(says("LOADING"), 30)
        assert terminal.fact("alternate_on") == "1"
        terminal.until(says("TRAINING", "fashion-mnist", "cpu"), 120)
        terminal.until(lambda screen: re.search(r"step\s+[1-9]", screen), 60)

        terminal.press("Space")
        terminal.until(says("PAUSED"), 30)
        terminal.until(lambda _: "paused" in terminal.fact("pane_title").lower(), 30)
        terminal.press("+", "+")
        terminal.until(says("1.10"), 30)
        terminal.press("m")
        terminal.until(says("esc leaves"), 30)
        terminal.press("a", "b", "c", "Enter")
        terminal.until(says("'abc'"), 30)
        terminal.press("Escape")
        terminal.until(lambda screen: "esc leaves" not in screen, 30)
        terminal.press("s")
        terminal.until(lambda _: list(tmp_path.glob("runs/*/checkpoints/*.json")), 30)
        terminal.press("n")
        terminal.until(
            lambda _: any(line["event"] == "progress" and line["margin"] == 1.1 for line in events(tmp_path)), 30
        )

        terminal.press("q")
        terminal.until(says("save and quit"), 30)
        terminal.press("Enter")
        terminal.until(says("verification", "$ "), 30)

        assert terminal.fact("alternate_on") == "0"
        assert terminal.fact("mouse_any_flag") == "0"
        assert terminal.fact("cursor_flag") == "1"
        shown = terminal.scrollback()
        assert "stopped, saved" in shown
        assert "→ 1.10 at step" in shown
        assert answer(terminal, "stty", "-a") == before

        log = events(tmp_path)
        assert [(line["old"], line["new"]) for line in log if line["event"] == "margin_changed"] == [
            (1.0, 1.05),
            (1.05, 1.1),
        ]
        assert log[-1]["event"] == "stopped"
        (run,) = tmp_path.glob("runs/*")
        state = load_latest(run / "checkpoints")[0].manifest.state
        assert (state.step, state.margin) == (log[-1]["step"], 1.1)

        terminal.run("clear")
        terminal.run(command[0], "--resume", "latest")
        terminal.until(says("TRAINING", "1.10"), 120)
        terminal.press("C-c")
        terminal.until(says("save and quit"), 30)
        terminal.press("C-c")
        terminal.until(says("verification", "$ "), 30)
        assert terminal.fact("alternate_on") == "0"


@pytest.mark.slow
@pytest.mark.parametrize(("signal", "code"), [("TERM", "143"), ("INT", "130")])
def test_a_signal_from_outside_saves_and_restores_the_terminal(
    signal: str, code: str, command: list[str], tmp_path: Path
) -> None:
    with Tmux(80, 24, tmp_path) as terminal:
        terminal.run("sh", "-c", '"$@"; echo "code=$?"', "sh", *command)
        terminal.until(lambda screen: re.search(r"step\s+[1-9]", screen), 120)
        (run,) = tmp_path.glob("runs/*")
        pid = next(line["pid"] for line in events(tmp_path) if line["event"] == "run_started")
        with Tmux(80, 24, tmp_path) as other:
            other.run("kill", f"-{signal}", str(pid))
            terminal.until(says(f"code={code}"), 30)
        assert terminal.fact("alternate_on") == "0"
        assert events(tmp_path)[-1]["reason"] == f"SIG{signal}"
        assert load_latest(run / "checkpoints")[0].manifest.state.step == events(tmp_path)[-1]["step"]


@pytest.mark.parametrize("redirect", ["< /dev/null", "2> /dev/null", "TERM=dumb"])
def test_without_a_usable_terminal_the_headless_command_is_named(
    redirect: str, command: list[str], tmp_path: Path
) -> None:
    with Tmux(100, 24, tmp_path) as terminal:
        line = f"TERM=dumb {REID_TUI}" if "=" in redirect else f"{REID_TUI} {redirect}"
        terminal.run("sh", "-c", f'{line}; echo "code=$?"')
        shown = terminal.until(says("code=2"), 30)
        assert "reid-tui train" in shown or "2>" in redirect
        assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_suspect_is_marked_explained_left_out_and_let_go(command: list[str], tmp_path: Path) -> None:
    with Tmux(120, 40, tmp_path) as terminal:
        terminal.run(*command, "--eval-every", "0.1")
        terminal.until(says("TRAINING"), 120)
        terminal.press("6")
        terminal.until(says("SAME, far apart 1/40", "▀"), 60)
        terminal.press("h", "t")
        terminal.until(says("train · 2,000 images", "SAME, far apart 1/40", "marked ones out"), 60)
        terminal.press("x")
        terminal.until(says("! suspect"), 60)
        terminal.press("o")
        terminal.until(says("! suspect, out"), 60)
        (file,) = tmp_path.glob("runs/*/suspects.csv")
        (row,) = csv.DictReader(file.read_text().splitlines())
        (left_out,) = [line for line in events(tmp_path) if line["event"] == "image_left_out"]
        assert (row["split"], int(row["row"])) == ("train", left_out["row"])
        assert [line["event"] for line in events(tmp_path)].count("pair_explained") == 1
        terminal.press("x")
        terminal.until(lambda screen: says("! suspect", "left out")(screen) and "! suspect, out" not in screen, 60)
        terminal.press("x")
        terminal.until(lambda screen: "! suspect" not in screen, 60)
        assert len(file.read_text().splitlines()) == 1
        terminal.press("o")
        terminal.until(lambda screen: "  left out" not in screen, 60)
        terminal.press("q")
        terminal.until(says("save and quit"), 30)
        terminal.press("Enter")
        terminal.until(says("verification", "$ "), 30)
