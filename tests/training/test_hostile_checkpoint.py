"""Checkpoints that are cut, flipped or made by a stranger: one line each, and the next that verifies is taken."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from reid_tui.config import RunConfig
from reid_tui.errors import CheckpointError
from reid_tui.training.checkpoint import LARGEST_HEADER, load_checkpoint, load_latest
from reid_tui.training.manifest import LARGEST_MANIFEST, checked_config, read_manifest
from tests.training.small import save_small, small_config

_DEFAULTED = tuple(field.name for field in dataclasses.fields(RunConfig) if field.default is not dataclasses.MISSING)
LATER = ("rank1", "split", "loss", "rewinds", "left_out", "left_out_next", "margin_offset", *_DEFAULTED)
"""What older manifests do not have."""
NEWEST, OLDER = "step-00000024", "step-00000016"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two checkpoints of a few bytes."""
    for step in (16, 24):
        save_small(tmp_path, step, step)
    return tmp_path


def refusal(folder: Path) -> str:
    """Why the newest is passed over; the older one must have been taken."""
    checkpoint, passed_over = load_latest(folder)
    assert checkpoint.manifest.state.step == 16
    assert checkpoint.tensors["a"].tolist() == [16, 16, 16]
    (line,) = passed_over
    assert line.startswith(NEWEST)
    assert line.isprintable()
    assert len(line) < 400
    return line


def rewrite(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the newest manifest as somebody would who knows the format."""
    path = folder / f"{NEWEST}.json"
    value = json.loads(path.read_text())
    value.pop("digest", None)
    change(value)
    path.write_text(json.dumps(value))


def plant(folder: Path, content: bytes) -> None:
    """Put a file in the newest checkpoint's place, with a manifest that agrees with it."""
    (folder / f"{NEWEST}.safetensors").write_bytes(content)
    rewrite(folder, lambda value: value.update(size=len(content), sha256=hashlib.sha256(content).hexdigest()))


def test_tensors_cut_at_every_length(folder: Path) -> None:
    path = folder / f"{NEWEST}.safetensors"
    content = path.read_bytes()
    for length in range(len(content)):
        path.write_bytes(content[:length])
        assert "bytes instead of" in refusal(folder)


def test_tensors_cut_at_every_length_with_a_manifest_that_agrees(folder: Path) -> None:
    content = (folder / f"{NEWEST}.safetensors").read_bytes()
    for length in range(len(content)):
        plant(folder, content[:length])
        assert "no safetensors file" in refusal(folder)


@pytest.mark.slow
def test_a_manifest_cut_at_every_length(folder: Path) -> None:
    path = folder / f"{NEWEST}.json"
    content = path.read_bytes()
    for length in range(len(content) - 1):  # without its last newline it is still whole
        path.write_bytes(content[:length])
        refusal(folder)


@pytest.mark.slow
def test_every_bit_of_a_manifest_flipped(folder: Path) -> None:
    """A flip is found, or has changed nothing that is read."""
    path = folder / f"{NEWEST}.json"
    content, good = path.read_bytes(), read_manifest(path)
    survived = 0
    for bit in range(8 * len(content)):
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        try:
            assert read_manifest(path) == good
            survived += 1
        except CheckpointError as error:
            assert str(error).isprintable()  # noqa: PT017
    assert survived < 100
    flipped[len(content) // 2] ^= 1
    path.write_bytes(flipped)
    refusal(folder)


def test_bits_of_the_tensors_flipped(folder: Path) -> None:
    path = folder / f"{NEWEST}.safetensors"
    content = path.read_bytes()
    for bit in range(0, 8 * len(content), 11):
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        assert "SHA-256 is" in refusal(folder)


def nested(depth: int) -> bytes:
    return b'{"schema": 1, "state": ' + b"[" * depth + b"]" * depth + b"}"


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(nested(400_000), id="nested to the size that is read"),
        pytest.param(b'{"a":' * 150_000, id="nested and cut"),
        pytest.param(nested(10**7), id="nested beyond the size that is read"),
        pytest.param(b'{"schema": 1, "state": ' + b"9" * 900_000 + b"}", id="a number of 900,000 digits"),
        pytest.param(b'{"schema": 1, "a": "' + b"x" * LARGEST_MANIFEST + b'"}', id="a long text"),
        pytest.param(b'{"schema": 1e999}', id="infinite schema"),
        pytest.param('{"schema": 1, "\u202e\x1b]52;c;aGk=\x07": 2}'.encode(), id="escapes"),
        pytest.param(b"\x00" * 4096, id="a hole"),
        pytest.param(b"null", id="null"),
        pytest.param(b'"' + b"\\ud800" * 1000 + b'"', id="lone surrogates"),
    ],
)
def test_a_manifest_with_hostile_content(folder: Path, content: bytes) -> None:
    (folder / f"{NEWEST}.json").write_bytes(content)
    refusal(folder)


def test_a_sparse_manifest_is_not_read(folder: Path) -> None:
    with (folder / f"{NEWEST}.json").open("r+b") as file:
        file.truncate(100 * 2**30)
    assert "more than" in refusal(folder)


@pytest.mark.parametrize("suffix", [".json", ".safetensors"])
@pytest.mark.parametrize("what", ["fifo", "folder", "device", "loop"])
def test_what_is_no_file_is_not_waited_for(folder: Path, what: str, suffix: str) -> None:
    path = folder / f"{NEWEST}{suffix}"
    path.unlink()
    match what:
        case "fifo":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
        case "device":
            path.symlink_to("/dev/zero")
        case "loop":
            path.symlink_to(path)
    if suffix == ".safetensors":
        rewrite(folder, lambda value: value.update(size=path.lstat().st_size if what == "folder" else 0))
    refusal(folder)


HUGE = 10**400
WRONG: list[tuple[str, object]] = [
    ("size", -1),
    ("size", 10**30),
    ("size", 80.0),
    ("size", True),
    ("sha256", None),
    ("sha256", ["a"]),
    ("keep", "yes"),
    ("state.rewinds", -1),
    ("state.rewinds", 1.0),
    ("state.loss", "low"),
    ("state.rank1", True),
    ("reason", {}),
    ("data_fingerprint", 7),
    ("file", "../../../etc/passwd"),
    ("file", f"/etc/{NEWEST}.safetensors"),
    ("file", f"{OLDER}.safetensors"),
    ("file", f"{NEWEST}.json"),
    ("state", []),
    ("state.step", -24),
    ("state.step", 25),
    ("state.step", 24.0),
    ("state.step", "24"),
    ("state.step", HUGE),
    ("state.margin", float("nan")),
    ("state.margin", float("inf")),
    ("state.margin", -1.0),
    ("state.margin", 0),
    ("state.margin", HUGE),
    ("state.margin_offset", float("nan")),
    ("state.margin_offset", "0"),
    ("config.margin_schedule", "1.0 until 2"),
    ("config.margin_schedule", "1 until 2, 1 until 1\x1b[2J"),
    ("state.lr", float("nan")),
    ("state.lr", None),
    ("state.wall_s", float("-inf")),
    ("state.epoch_loss_sum", float("nan")),
    ("state.epoch_pairs", -1),
    ("state.pairs_seen", -(10**18)),
    ("state.skipped_in_row", 10**18),
    ("state.map", float("nan")),
    ("state.map", "0.5"),
    ("config", None),
    ("config.batch_size", 0),
    ("config.batch_size", 10**9),
    ("config.epochs", -1),
    ("config.seed", -1),
    ("config.seed", 2**40),
    ("config.lr", 0),
    ("config.margin", float("nan")),
    ("config.eval_every", 0),
    ("config.embedding_dim", 10**9),
    ("config.eval_images", -5),
    ("config.model", "../model\x1b[2J"),
    ("config.loss", ""),
    ("config.pairs", "all"),
    ("config.precision", "fp64\n"),
    ("config.data", 3),
    ("replaces", 3),
    ("replaces", {}),
    ("replaces", [[[[]]]]),
]


@pytest.mark.parametrize(("key", "value"), WRONG, ids=[f"{key}={str(value)[:30]!r}" for key, value in WRONG])
def test_a_manifest_with_a_wrong_value(folder: Path, key: str, value: object) -> None:
    def change(manifest: dict[str, Any]) -> None:
        *outer, last = key.split(".")
        for name in outer:
            manifest = manifest[name]
        manifest[last] = value

    rewrite(folder, change)
    refusal(folder)


def test_a_manifest_whose_parts_are_missing(folder: Path) -> None:
    path = folder / f"{NEWEST}.json"
    whole = json.loads(path.read_text())
    del whole["digest"]
    places = [(whole, key) for key in whole if key not in ("versions", "card")]
    places += [(whole[part], key) for part in ("state", "config") for key in whole[part] if key not in LATER]
    for part, key in places:
        value = part.pop(key)
        path.write_text(json.dumps(whole))
        refusal(folder)
        part[key] = value
    path.write_text(json.dumps(whole))
    assert load_latest(folder)[1] == [], "a manifest from before there were digests"


def test_a_manifest_that_replaces_itself_without_end_is_read_once(folder: Path) -> None:
    def change(value: dict[str, Any]) -> None:
        inner = dict(value)
        for _ in range(300):
            inner = {**value, "sha256": "0" * 64, "replaces": inner}
        value.update(sha256="0" * 64, replaces=inner)

    rewrite(folder, change)
    assert "SHA-256" in refusal(folder)


class Bomb:
    """Leaves a mark where it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self._mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self._mark),)


@pytest.mark.parametrize("kind", ["pickle", "torch", "legacy torch"])
def test_a_pickle_is_refused_and_nothing_in_it_runs(folder: Path, tmp_path: Path, kind: str) -> None:
    mark, file = tmp_path / "executed", tmp_path / "bomb"
    if kind == "pickle":
        file.write_bytes(pickle.dumps({"network.fc2.bias": Bomb(mark)}))
    else:
        torch.save({"a": Bomb(mark)}, file, _use_new_zipfile_serialization=kind == "torch")
    content = file.read_bytes()
    pickle.loads(pickle.dumps(Bomb(mark)))
    assert mark.exists(), "the bomb works"
    mark.rmdir()
    (folder / f"{NEWEST}.safetensors").write_bytes(content)
    assert "bytes instead of" in refusal(folder)
    plant(folder, content)
    assert "no safetensors file" in refusal(folder)
    assert not mark.exists()


def safetensors_file(header: object, data: bytes = b"", length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def tensor(dtype: str = "F32", shape: object = (1,), offsets: object = (0, 4)) -> dict[str, object]:
    return {"a": {"dtype": dtype, "shape": shape, "data_offsets": offsets}}


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(safetensors_file(tensor(shape=[10**12]), bytes(4)), id="a huge shape"),
        pytest.param(safetensors_file(tensor(shape=[2**63, 2**63, 4]), bytes(4)), id="a shape that overflows"),
        pytest.param(safetensors_file(tensor(shape=[-1]), bytes(4)), id="a negative shape"),
        pytest.param(safetensors_file(tensor(shape=[0, 2**62], offsets=(0, 0))), id="nothing, very often"),
        pytest.param(safetensors_file(tensor(offsets=(0, 2**62)), bytes(4)), id="offsets beyond the file"),
        pytest.param(safetensors_file(tensor(offsets=(4, 0)), bytes(4)), id="offsets that go back"),
        pytest.param(safetensors_file(tensor("PICKLE"), bytes(4)), id="an unknown type"),
        pytest.param(safetensors_file(tensor("F4", [8]), bytes(4)), id="a type that torch may not have"),
        pytest.param(safetensors_file(tensor(), bytes(4), length=2**63), id="a header beyond the file"),
        pytest.param(safetensors_file(tensor(), bytes(4), length=2**40), id="a header of a terabyte"),
        pytest.param(safetensors_file(b" " * (LARGEST_HEADER + 1)), id="a header too long"),
        pytest.param(safetensors_file(b"[" * 100_000), id="a nested header"),
        pytest.param(safetensors_file(b'{"a":1}'), id="no tensor"),
        pytest.param(safetensors_file(b"\xff" * 64), id="garbage"),
        pytest.param(b"", id="empty"),
    ],
)
def test_a_hostile_safetensors_file_with_a_manifest_that_agrees(folder: Path, content: bytes) -> None:
    plant(folder, content)
    try:
        checkpoint, passed_over = load_latest(folder)
    except BaseException as error:
        pytest.fail(f"{error!r}")
    if passed_over:
        refusal(folder)
    else:
        assert all(value.numel() < 100 for value in checkpoint.tensors.values())


def test_many_names_are_refused_by_the_size_of_the_header(folder: Path) -> None:
    plant(folder, safetensors.torch.save({f"t{index}": torch.zeros(0) for index in range(20_000)}))
    assert "a header of" in refusal(folder)


def test_a_checkpoint_that_was_checked_is_the_one_that_is_loaded(folder: Path) -> None:
    assert load_checkpoint(folder / f"{NEWEST}.json").tensors["a"].tolist() == [24, 24, 24]


@pytest.mark.parametrize(
    ("name", "value"), [("image_size", "9999x1"), ("holdout", "-1"), ("holdout", "20%"), ("camera_pattern", "(")]
)
def test_a_setting_of_own_images_is_spelled_as_the_command_line_spells_it(name: str, value: str) -> None:
    config = {**small_config().to_json(), name: value}
    with pytest.raises(ValueError, match=f"config.{name}"):
        checked_config(config)
