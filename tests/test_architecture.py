"""Imports point one way, and the command line stays light."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

PACKAGE = Path(__file__).parents[1] / "reid_tui"
LIGHT = {f"reid_tui.training.{name}" for name in ("events", "event_json", "commands", "channels", "splits")}
ORDER = (
    ("__main__",),
    ("cli",),
    ("bench", "doctor"),
    ("headless", "tui"),
    ("engine", "using"),
    ("opening",),
    ("control",),
    ("runs",),
    ("view",),
    ("training",),
    ("learning", "data"),
    ("evaluation",),
    ("config", "console", "launch"),
    ("signals", "allocator", "cores", "instructions"),
    ("files", "text"),
    ("errors",),
    ("__init__",),
)
"""From top to bottom: a room imports from those below it only, and rooms side by side do not know each other."""
LEVELS = {room: level for level, rooms in enumerate(ORDER) for room in rooms}
ONLY_IN = {"typer": {"cli"}, "textual": {"tui"}, "plotext": {"view"}}
WITH_TORCH = {"bench", "doctor", "engine", "opening", "runs", "training", "learning", "evaluation"}
TORCHVISION: Final = PACKAGE / "data" / "folders" / "torchvision_arrays.py"
"""Reads files by torchvision's own classes, which it imports where they are called."""
FRONT: Final = PACKAGE / "__init__.py"
"""Has names of `using` for people's own programs, imported where they are asked for."""
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


def test_every_room_has_its_place_in_the_order() -> None:
    assert {room(path) for path in MODULES} == set(LEVELS)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_downwards(path: Path) -> None:
    here = room(path)
    for name in imports(path):
        top, *rest = name.split(".")
        assert here in ONLY_IN.get(top, {here}), f"{path} imports {name}"
        alone = path == TORCHVISION and name.startswith("torchvision")
        alone |= here == "using" and path.name.startswith("torch_")
        assert alone or here in WITH_TORCH or top not in ("torch", "torchvision"), f"{path} imports {name}"
        if top == "reid_tui" and not (path == FRONT and name.startswith("reid_tui.using.")):
            there = rest[0] if rest and rest[0] in LEVELS else "__init__"
            assert there == here or LEVELS[there] > LEVELS[here], f"{path} imports {name}, which is not below it"


@pytest.mark.parametrize("path", [p for p in MODULES if room(p) in ("tui", "view")], ids=lambda p: p.name)
def test_screen_and_view_touch_only_the_light_side_of_training(path: Path) -> None:
    light = {name.rsplit(".", 1)[-1] for name in LIGHT}
    for name in imports(path, at_runtime=True):
        if name.startswith("reid_tui.training."):
            assert name.split(".")[2] in light, f"{path} imports {name}"


def test_one_module_knows_plotext() -> None:
    assert {p.name for p in MODULES if any(n.split(".")[0] == "plotext" for n in imports(p))} == {"plot.py"}


def test_one_module_knows_pytorch_metric_learning_and_only_where_it_builds_a_loss() -> None:
    theirs = "pytorch_metric_learning"
    assert {p.name for p in MODULES if any(n.split(".")[0] == theirs for n in imports(p))} == {"metric_learning.py"}
    tree = ast.parse((PACKAGE / "learning" / "metric_learning.py").read_text())
    assert not any(isinstance(node, ast.ImportFrom | ast.Import) and theirs in ast.unparse(node) for node in tree.body)


@pytest.mark.slow
def test_no_pickle_no_eval_no_listener() -> None:
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                assert called not in ("eval", "exec", "pickle.load", "pickle.loads", "torch.load", "torch.save"), path
        assert not {"pickle", "marshal", "shelve", "socketserver", "http.server"} & set(imports(path)), path


@pytest.mark.slow
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


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("from reid_tui.cli.main import run; run(['--help'])", "torch textual plotext numpy torchvision"),
        ("from reid_tui.cli.main import run; run(['--version'])", "torch textual plotext numpy torchvision"),
        ("from reid_tui.cli.main import run; run(['train', '--help'])", "torch textual plotext numpy torchvision"),
        ("import reid_tui.engine, reid_tui.training.events, reid_tui.training.commands", "torch textual plotext"),
        (
            "import reid_tui.control.client, reid_tui.control.server, reid_tui.control.wire",
            "torch textual plotext numpy",
        ),
        ("import reid_tui.headless", "torch textual plotext"),
        ("import reid_tui.view.fold", "torch textual plotext"),
        ("import reid_tui.tui.app", "torch torchvision"),
        ("import reid_tui.tui.pictures, reid_tui.data.idx.load, reid_tui.data.folders.load", "torch torchvision"),
        ("import reid_tui.tui.attached, reid_tui.tui.dashboard", "torch torchvision"),
        ("from reid_tui.cli.main import run; run(['attach', '--help'])", "torch textual plotext numpy torchvision"),
        ("from reid_tui.cli.main import run; run(['doctor', '--help'])", "torch textual plotext numpy rich"),
        ("import reid_tui", "torch textual plotext numpy typer rich PIL"),
        ("from reid_tui import load_run", "torch torchvision textual plotext typer rich scipy sklearn onnxruntime"),
        ("from reid_tui.cli.main import run; run(['compare', '--help'])", "torch textual plotext numpy PIL rich"),
        ("from reid_tui.cli.main import run; run(['compare', 'latest', 'a', 'b'])", "torch pydantic rich"),
        ("from reid_tui.cli.main import run; run(['runs', '--runs-dir', '/dev/null/no'])", "torch pydantic"),
        (
            "import reid_tui.using.answers, reid_tui.using.pair_table, reid_tui.using.pair_data",
            "torch torchvision textual plotext typer rich scipy sklearn",
        ),
        (
            "import reid_tui.using.searching, reid_tui.using.search_report, reid_tui.using.clustering, "
            "reid_tui.using.grouping, reid_tui.using.embedding_files",
            "torch torchvision textual plotext typer scipy sklearn",
        ),
        (
            "from reid_tui.cli.main import run; [run([c, '--help']) for c in ('search', 'cluster', 'embed')]",
            "torch textual plotext numpy PIL rich",
        ),
        ("import reid_tui.using.pair_text", "torch torchvision textual plotext typer scipy sklearn"),
        ("import reid_tui.launch", "torch textual plotext numpy torchvision typer rich"),
        ("import reid_tui.data.catalog, reid_tui.data.show", "torch torchvision textual"),
        ("import reid_tui.data.folders.sources", "torch textual plotext numpy torchvision PIL"),
        ("import reid_tui.data.folders.torchvision_arrays", "torch textual plotext torchvision"),
    ],
)
def test_what_stays_unimported(code: str, absent: str) -> None:
    check = f"{code}\nimport sys\nassert not set('{absent}'.split()) & set(sys.modules), sorted(sys.modules)"
    subprocess.run([sys.executable, "-W", "error", "-c", check], check=True, stdout=subprocess.DEVNULL)
