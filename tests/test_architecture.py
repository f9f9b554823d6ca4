"""Imports point one way, and the command line stays light."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "reid_tui"
LIGHT = {f"reid_tui.training.{name}" for name in ("events", "commands", "channels", "wire")}
BASE = {"reid_tui", "reid_tui.config", "reid_tui.errors", "reid_tui.text", "reid_tui.files"}
ALLOWED = {
    "data": set(),
    "learning": set(),
    "evaluation": set(),
    "training": {"data", "learning", "evaluation"},
    "runs": {"training", "view"},
    "view": {"training"},
    "tui": {"view", "training", "runs", "engine", "launch", "console"},
    "launch": set(),
    "debug": set(),
    "console": set(),
    "doctor": {"data", "runs", "tui", "view"},
    "bench": {"data", "learning", "runs", "training", "view", "config", "tui"},
    "engine": {"training", "runs", "data", "resume"},
    "resume": {"training", "runs", "data"},
    "headless": {"training", "runs", "view", "engine", "launch", "console"},
    "cli": {"headless", "tui", "data", "bench", "runs", "launch", "debug"},
    "__main__": {"cli"},
}
ONLY_IN = {"typer": {"cli"}, "textual": {"tui"}, "plotext": {"view"}}
MODULES = sorted(PACKAGE.rglob("*.py"))


def imports(path: Path, *, at_runtime: bool = False) -> Iterator[str]:
    """Every module that a file imports; with `at_runtime`, without those for the type checker only."""
    tree = ast.parse(path.read_text())
    skipped: set[int] = set()
    if at_runtime:
        for node in ast.walk(tree):
            if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
                skipped |= {id(child) for part in node.body for child in ast.walk(part)}
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative import"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_one_way(path: Path) -> None:
    here = room(path)
    for name in imports(path):
        top, *rest = name.split(".")
        if top in ONLY_IN:
            assert here in ONLY_IN[top], f"{path} imports {name}"
        if top == "reid_tui" and here in ALLOWED:
            there = rest[0] if rest else ""
            base = name in BASE or f"reid_tui.{there}" in BASE or there.startswith("__")
            assert base or there == here or there in ALLOWED[here], f"{path} imports {name}"
        if top in ("torch", "torchvision"):
            assert here in ("learning", "evaluation", "training", "engine", "resume", "bench", "runs", "doctor"), (
                f"{path} imports {name}"
            )


@pytest.mark.parametrize("path", [p for p in MODULES if room(p) in ("tui", "view")], ids=lambda p: p.name)
def test_screen_and_view_touch_only_the_light_side_of_training(path: Path) -> None:
    light = {name.rsplit(".", 1)[-1] for name in LIGHT}
    for name in imports(path, at_runtime=True):
        if name.startswith("reid_tui.training."):
            assert name.split(".")[2] in light, f"{path} imports {name}"


def test_one_module_knows_plotext() -> None:
    assert {p.name for p in MODULES if any(n.split(".")[0] == "plotext" for n in imports(p))} == {"plot.py"}


def test_no_pickle_no_eval_no_listener() -> None:
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                assert called not in ("eval", "exec", "pickle.load", "pickle.loads", "torch.load", "torch.save"), path
        assert not {"pickle", "marshal", "shelve", "socketserver", "http.server"} & set(imports(path)), path


def test_sockets_are_unix_sockets() -> None:
    of_others = {"start_server", "create_server", "open_connection", "create_connection", "fromfd"}
    made = set()
    for path in MODULES:
        assert not {name for name in imports(path) if name.startswith("socket.")}, path
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute):
                assert node.attr not in of_others, path
                assert not node.attr.startswith("AF_") or ast.unparse(node) == "socket.AF_UNIX", path
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "socket.socket":
                assert ast.unparse(node.args[0]) == "socket.AF_UNIX", path
                made.add(path.name)
    assert made >= {"endpoint.py", "client.py"}


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("from reid_tui.cli import run; run(['--help'])", "torch textual plotext numpy torchvision"),
        ("from reid_tui.cli import run; run(['--version'])", "torch textual plotext numpy torchvision"),
        ("from reid_tui.cli import run; run(['train', '--help'])", "torch textual plotext numpy torchvision"),
        ("import reid_tui.engine, reid_tui.training.events, reid_tui.training.commands", "torch textual plotext"),
        ("import reid_tui.runs.client, reid_tui.runs.control, reid_tui.training.wire", "torch textual plotext numpy"),
        ("import reid_tui.headless", "torch textual plotext"),
        ("import reid_tui.view.state", "torch textual plotext"),
        ("import reid_tui.tui.app", "torch torchvision"),
        ("import reid_tui.tui.attached, reid_tui.tui.dashboard", "torch torchvision"),
        ("from reid_tui.cli import run; run(['attach', '--help'])", "torch textual plotext numpy torchvision"),
        ("import reid_tui.launch", "torch textual plotext numpy torchvision typer rich"),
        ("import reid_tui.data.catalog, reid_tui.data.show", "torch torchvision textual"),
    ],
)
def test_what_stays_unimported(code: str, absent: str) -> None:
    check = f"{code}\nimport sys\nassert not set('{absent}'.split()) & set(sys.modules), sorted(sys.modules)"
    subprocess.run([sys.executable, "-W", "error", "-c", check], check=True, stdout=subprocess.DEVNULL)
