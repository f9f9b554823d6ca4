"""Makes every picture in this folder from real runs: `uv run python screenshots/make.py`. Takes about five minutes.

Needs tmux, Fashion-MNIST and the DejaVu fonts.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from screenshots.picture import draw
from tests.tmux import Tmux

HERE = Path(__file__).parent
COMMAND = ["reid-tui"]
PATH = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
DATA = ["--data", "fashion-mnist"]


def at_step(step: int) -> Callable[[str], bool]:
    """True once the header's step counter has reached `step`."""

    def reached(screen: str) -> bool:
        found = re.search(r"step\s+([\d,]+)/", screen)
        return found is not None and int(found[1].replace(",", "")) >= step

    return reached


def shoot(terminal: Tmux, name: str, rows: int | None = None) -> None:
    """Draw what a terminal shows, or its first rows."""
    draw("\n".join(terminal.colored().split("\n")[:rows]), HERE / f"{name}.png")
    print(f"{name}.png")


def dashboard(folder: Path) -> None:
    """One whole tutorial run at 120x40: mid-training, paused with another margin, help, the final map."""
    with Tmux(120, 40, folder, PATH) as terminal:
        terminal.run(*COMMAND, *DATA, "--name", "tutorial")
        terminal.until(at_step(1500), 120)
        shoot(terminal, "training")
        terminal.press("Space")
        terminal.until(lambda screen: "PAUSED" in screen, 30)
        for _ in range(6):
            terminal.press("+")
        terminal.until(lambda screen: screen.count("margin 1.30") >= 3, 30)
        shoot(terminal, "paused")
        terminal.press("?")
        terminal.until(lambda screen: "palette" in screen, 30)
        shoot(terminal, "help")
        terminal.press("Escape")
        terminal.until(lambda screen: "palette" not in screen, 30)
        for _ in range(6):
            terminal.press("-")
        terminal.until(lambda screen: "1.00" in screen, 30)
        terminal.press("Space")
        terminal.until(lambda screen: "DONE" in screen and "10,000 images · step" in screen, 200)
        shoot(terminal, "done")
        terminal.press("q")
        terminal.until(lambda screen: "verification" in screen, 60)
        shoot(terminal, "summary")


def own_images(folder: Path) -> None:
    """The pedestrians as a folder of crops, with a few faults: what `data` says of them, and a run on them."""
    from reid_tui.config import DataOptions
    from reid_tui.data import catalog
    from tests.data.folders.people_files import as_folder

    crops = as_folder(catalog.load(DataOptions(data="pedestrians"), lambda *_: None), folder / "crops", split=False)
    (crops / "P007" / "c2_9.png").write_bytes((crops / "P190" / "c1_0.png").read_bytes())
    (crops / "P011" / "cut.png").write_bytes((crops / "P011" / "c1_0.png").read_bytes()[:300])
    (crops / "p012").mkdir()
    (crops / "P012" / "c1_0.png").rename(crops / "p012" / "c1_0.png")
    environ = PATH | {"XDG_CACHE_HOME": str(folder / "cache")}
    options = ["--camera-pattern", r"^c(\d)_"]
    (crops / "P011" / "cut.png").rename(crops / "P011" / "c4_9.png")
    with Tmux(110, 40, folder, environ | {"COLORTERM": "truecolor"}) as terminal:
        terminal.run(*COMMAND, "data", "crops", *options, "--pairs", "3")
        terminal.until(lambda screen: "DIFFERENT" in screen, 60)
        shoot(terminal, "own-images")
    with Tmux(120, 40, folder, environ) as terminal:
        terminal.run(*COMMAND, "--data", "crops", *options, "--holdout", "0.3")
        terminal.until(at_step(400), 240)
        shoot(terminal, "own-training")
        terminal.press("q")
        terminal.until(lambda screen: "save and quit" in screen, 30)
        terminal.press("Enter")
        terminal.until(lambda screen: "verification" in screen, 30)


def trained(folder: Path) -> None:
    """What a run on a folder of crops answers, of people that it never saw."""
    from reid_tui.config import DataOptions
    from reid_tui.data import catalog
    from tests.data.folders.people_files import as_folder

    people = catalog.load(DataOptions(data="pedestrians"), lambda *_: None)
    as_folder(people, folder / "people", split=True)
    environ = PATH | {"XDG_CACHE_HOME": str(folder / "cache"), "COLORTERM": "truecolor"}
    cameras = ["--camera-pattern", r"^c(\d)_"]
    settings = ["--preset", "fast", "--embedding-dim", "64", "--runs-dir", "people-runs"]
    query, gallery = "people/test/P129/c1_0.png", "people/test"
    asked = {
        "compare": ((80, 24), [query, "people/test/P129/c3_0.png"], "fitted nothing"),
        "search": ((120, 46), [query, gallery, "-k", "7", *cameras], "looked through"),
        "eval": ((120, 140), [], "different, closest"),
    }
    with Tmux(120, 40, folder, environ) as terminal:
        terminal.run(*COMMAND, "train", "--data", "people", *cameras, *settings)
        terminal.until(lambda screen: "verification" in screen, 240)
    for name, (size, words, last) in asked.items():
        with Tmux(*size, folder, environ) as terminal:
            terminal.run(*COMMAND, name, "latest", *words, "--runs-dir", "people-runs")
            terminal.until(lambda screen, last=last: last in screen and screen.rstrip().endswith("$"), 120)
            shoot(terminal, name, 78 if name == "eval" else None)


def why(folder: Path) -> None:
    """Every panel on people never seen: the worst pairs, what a query finds, which identities overlap."""
    with Tmux(200, 60, folder, PATH | {"COLORTERM": "truecolor"}) as terminal:
        terminal.run(*COMMAND, "--data", "pedestrians", "--preset", "fast", "--name", "why")
        terminal.until(at_step(64), 120)
        terminal.press("6", "7", "8")
        shown = ("DONE", "far apart 1/", "query 1 of 1,024", "pair 1 of 10")
        terminal.until(lambda screen: all(words in screen for words in shown), 120)
        shoot(terminal, "why")
        terminal.press("q")
        terminal.until(lambda screen: "verification" in screen, 60)


def small_and_large(folder: Path) -> None:
    with Tmux(80, 24, folder, PATH) as terminal:
        terminal.run(*COMMAND, *DATA, "--name", "small")
        terminal.until(at_step(600), 120)
        shoot(terminal, "small")
        terminal.resize(200, 60)
        terminal.until(at_step(1000), 120)
        shoot(terminal, "large")
        terminal.press("q")
        terminal.until(lambda screen: "save and quit" in screen, 30)
        terminal.press("Enter")
        terminal.until(lambda screen: "verification" in screen, 30)


def attached(folder: Path) -> None:
    """A run that was left and is come back to, with a change made from there."""
    with Tmux(120, 40, folder, PATH) as terminal:
        terminal.run(*COMMAND, *DATA, "--name", "left", "--runs-dir", "left")
        terminal.until(at_step(150), 120)
        terminal.press("d")
        terminal.until(lambda screen: "detached" in screen, 30)
        terminal.run("clear")
        terminal.run(*COMMAND, "attach", "--runs-dir", "left")
        terminal.until(at_step(200), 60)
        terminal.press("+", "+")
        terminal.until(lambda screen: "attach" in screen and screen.count("1.10") >= 3, 30)
        terminal.until(at_step(300), 60)
        shoot(terminal, "attached")
        terminal.press("X")
        terminal.until(lambda screen: "save and stop the run" in screen, 30)
        terminal.press("Enter")
        terminal.until(lambda screen: "STOPPED" in screen, 30)


def headless(folder: Path) -> None:
    with Tmux(110, 30, folder, PATH) as terminal:
        terminal.run(*COMMAND, "train", *DATA, "--epochs", "1", "--name", "headless")
        terminal.until(lambda screen: "verification" in screen, 120)
        shoot(terminal, "headless")


def pairs(folder: Path) -> None:
    with Tmux(120, 54, folder, PATH | {"COLORTERM": "truecolor"}) as terminal:
        terminal.run(*COMMAND, "data", "fashion-mnist", "--pairs", "4")
        terminal.until(lambda screen: screen.count("$") >= 2, 120)
        shoot(terminal, "pairs")


if __name__ == "__main__":
    wanted = sys.argv[1:]
    with tempfile.TemporaryDirectory() as made:
        for make in (dashboard, own_images, trained, why, small_and_large, attached, headless, pairs):
            if not wanted or make.__name__ in wanted:
                make(Path(made))
