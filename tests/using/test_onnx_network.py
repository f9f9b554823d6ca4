"""An exported network at work, without torch."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from reid_tui.errors import ReidTuiError
from reid_tui.using.model import Model, open_model


def test_it_is_the_run(exported_onnx: Path, trained_model: Model, people: Path, tmp_path: Path) -> None:
    model = open_model(str(exported_onnx), tmp_path)
    assert (model.card, model.step, model.name) == (trained_model.card, trained_model.step, "m.onnx")
    files = sorted(people.rglob("*.png"))
    expected = trained_model.embed(files)
    np.testing.assert_allclose(model.embed(files), expected, atol=1e-5 * np.abs(expected).max())
    assert model.fitted() == trained_model.fitted()
    assert len(model.digest) == 64
    with pytest.raises(ReidTuiError, match="does not know what data"):
        model.dataset()


def test_two_pictures_are_compared_without_torch(exported_onnx: Path, people: Path) -> None:
    first, second = sorted(people.rglob("*.png"))[:2]
    check = (
        "import sys; from reid_tui import load_run\n"
        f"model = load_run({str(exported_onnx)!r}); model.same({str(first)!r}, {str(second)!r})\n"
        "heavy = {'torch', 'torchvision', 'scipy', 'sklearn', 'typer', 'textual', 'rich', 'onnx', 'safetensors'}\n"
        "assert not heavy & set(sys.modules), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", check], check=True)


Change = Callable[[onnx.ModelProto], object]


def told(key: str, value: str) -> Change:
    def change(model: onnx.ModelProto) -> None:
        for item in model.metadata_props:
            if item.key == key:
                item.value = value

    return change


def card_with(**changed: Any) -> Change:
    def change(model: onnx.ModelProto) -> None:
        for item in model.metadata_props:
            if item.key == "reid_tui.card":
                item.value = json.dumps({**json.loads(item.value), **changed})

    return change


def fixed_type(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.FLOAT


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda model: model.ClearField("metadata_props"), "does not say how pictures become embeddings"),
        (told("reid_tui.card", "nonsense"), "Expecting value"),
        (told("reid_tui.card", "[" * 100_000), "nested too deeply"),
        (told("reid_tui.card", "{}"), "no whole number"),
        (card_with(height=32, width=64), "its input is"),
        (card_with(embedding_dim=3), "its output is"),
        (card_with(data="\x1b[2J"), "no printable text"),
        (fixed_type, "its input is|no network that onnxruntime can compute"),
        (lambda model: model.graph.ClearField("node"), "no network that onnxruntime can compute"),
    ],
)
def test_a_strangers_file_is_told_in_one_line(
    change: Change, words: str, exported_onnx: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    model = onnx.load(exported_onnx)
    change(model)
    target = tmp_path / "other.onnx"
    target.write_bytes(model.SerializeToString())
    with pytest.raises(ReidTuiError, match=words) as error:
        open_model(str(target), tmp_path)
    assert str(error.value).startswith(f"{target} is not of 'reid-tui export': ")
    assert str(error.value).endswith("; export it again, or name a run")
    assert str(error.value).isprintable()
    assert error.value.exit_code == 2
    assert capfd.readouterr() == ("", "")


def test_a_graph_that_fails_while_it_computes(
    exported_onnx: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """It takes pictures by sevens."""
    model = onnx.load(exported_onnx)
    last = next(node for node in model.graph.node if node.output[0] == "embeddings")
    last.output[0] = "inner"
    shape = onnx.helper.make_tensor("shape", onnx.TensorProto.INT64, [2], [7, -1])
    sevens = onnx.helper.make_node("Reshape", ["inner", "shape"], ["sevens"])
    back = onnx.helper.make_tensor("back", onnx.TensorProto.INT64, [2], [-1, 64])
    model.graph.initializer.extend([shape, back])
    model.graph.node.extend([sevens, onnx.helper.make_node("Reshape", ["sevens", "back"], ["embeddings"])])
    (tmp_path / "x.onnx").write_bytes(model.SerializeToString())
    network = open_model(str(tmp_path / "x.onnx"), tmp_path)
    images = np.zeros((7, 3, 64, 32), np.uint8)
    assert network.embed_pixels(images).shape == (7, 64)
    with pytest.raises(ReidTuiError, match="the exported network cannot be computed") as error:
        network.embed_pixels(images[:1])
    assert (error.value.exit_code, str(error.value).isprintable()) == (2, True)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("content", [b"", b"no network", bytes(1000)])
def test_what_is_no_onnx(content: bytes, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.onnx").write_bytes(content)
    with pytest.raises(ReidTuiError, match="no network that onnxruntime can compute"):
        open_model(str(tmp_path / "x.onnx"), tmp_path)
    assert capfd.readouterr() == ("", "")


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(
        ReidTuiError, match=r"cannot read .*: No such file or directory; name a file of 'reid-tui export'"
    ):
        open_model(str(tmp_path / "none.onnx"), tmp_path)


def test_a_cut_file(exported_onnx: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.onnx").write_bytes(exported_onnx.read_bytes()[:-10_000])
    with pytest.raises(ReidTuiError, match="is not of 'reid-tui export'"):
        open_model(str(tmp_path / "x.onnx"), tmp_path)
    assert capfd.readouterr() == ("", "")


def test_without_onnxruntime(exported_onnx: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ReidTuiError, match=r"need onnxruntime; install it with: pip install 'reid-tui\[export\]'"):
        open_model(str(exported_onnx), tmp_path)


def test_a_run_whose_name_ends_so_is_a_run(own_run: Path, tmp_path: Path) -> None:
    named = own_run.rename(own_run.with_name("run.onnx"))
    assert open_model(str(named), tmp_path).name == "run.onnx"


def test_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    from reid_tui.using.onnx_network import _threads

    for asked, threads in {"1": 1, "3": 3}.items():
        monkeypatch.setenv("OMP_NUM_THREADS", asked)
        assert _threads() == threads
    for asked in ("", "many", "0", "٣"):
        monkeypatch.setenv("OMP_NUM_THREADS", asked)
        assert 1 <= _threads() <= 8
