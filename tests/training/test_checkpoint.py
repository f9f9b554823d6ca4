from __future__ import annotations

import dataclasses
import errno
import json
import os
import stat
from pathlib import Path

import pytest

from reid_tui.config import RunConfig
from reid_tui.data.dataset import Dataset
from reid_tui.errors import CheckpointError
from reid_tui.training import checkpoint as module
from reid_tui.training import commands as cmd
from reid_tui.training import events as ev
from reid_tui.training import saving as saving_module
from reid_tui.training.checkpoint import load_checkpoint, load_latest, manifests, read_manifest
from tests.training.rig import Rig


@pytest.fixture
def run(tiny: Dataset, tiny_config: RunConfig, tmp_path: Path) -> Path:
    """Checkpoints of a finished run, steps 8, 16 and 24."""
    Rig(tiny_config, tiny, tmp_path).run()
    return tmp_path / "checkpoints"


def test_private_and_without_pickle(run: Path) -> None:
    for path in run.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert path.suffix in (".json", ".safetensors")
    assert not list(run.glob(".tmp-*"))


def test_no_setting_of_the_run_is_lost(tiny: Dataset, tiny_config: RunConfig, tmp_path: Path) -> None:
    texts = {"image_root": "/x", "image_size": "8x8", "camera_pattern": "c(.)", "holdout": "0.2", "init": "other"}
    texts |= {"exclude": "/x.csv", "margin_schedule": "1 until 2, 1.5"}
    assert texts.keys() == {f.name for f in dataclasses.fields(RunConfig) if str(f.type) == "str | None"}
    config = dataclasses.replace(tiny_config, steps=2, **texts)
    Rig(config, tiny, tmp_path).run()
    assert read_manifest(manifests(tmp_path / "checkpoints")[0]).config == config


def test_the_newest_that_verifies_is_taken_and_the_others_named(run: Path) -> None:
    newest, second, _ = manifests(run)
    tensors = newest.with_suffix(".safetensors")
    tensors.write_bytes(tensors.read_bytes()[:-1])
    flipped = bytearray(second.with_suffix(".safetensors").read_bytes())
    flipped[len(flipped) // 2] ^= 1
    second.with_suffix(".safetensors").write_bytes(flipped)
    checkpoint, passed_over = load_latest(run)
    assert checkpoint.manifest.state.step == 8
    assert [line.split(":")[0] for line in passed_over] == [tensors.name, "step-00000016.safetensors"]
    assert "bytes instead of" in passed_over[0]
    assert "SHA-256" in passed_over[1]


def test_tensors_without_a_manifest_do_not_count(run: Path) -> None:
    manifests(run)[0].unlink()
    assert load_latest(run)[0].manifest.state.step == 16


def test_a_manifest_without_tensors_is_passed_over(run: Path) -> None:
    manifests(run)[0].with_suffix(".safetensors").unlink()
    checkpoint, passed_over = load_latest(run)
    assert checkpoint.manifest.state.step == 16
    assert "No such file" in passed_over[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"{}",
        b'{"schema": 99}',
        b"[" * 100_000,
        b'{"schema": 1, "state": 3}',
        b" " * (2**20 + 1),
    ],
)
def test_a_hostile_manifest_is_one_line(run: Path, content: bytes) -> None:
    manifests(run)[0].write_bytes(content)
    with pytest.raises(CheckpointError) as error:
        load_checkpoint(manifests(run)[0])
    assert "\n" not in str(error.value)
    assert load_latest(run)[0].manifest.state.step == 16


@pytest.mark.slow
@pytest.mark.parametrize(("key", "value"), [("size", "big"), ("sha256", 3), ("keep", 1), ("file", "../../etc/passwd")])
def test_a_manifest_with_a_wrong_type_is_refused(run: Path, key: str, value: object) -> None:
    path = manifests(run)[0]
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    with pytest.raises(CheckpointError):
        load_checkpoint(path)


def test_none_left_says_so(run: Path) -> None:
    for path in manifests(run):
        path.write_text("{}")
    with pytest.raises(CheckpointError, match="no usable checkpoint"):
        load_latest(run)


class FullDisk:
    """Lets every write to a descriptor of a checkpoint fail while `full`, as a full disk does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, after: int) -> None:
        self.full = True
        real = module.write_whole

        def write(path: Path, content: bytes, *, durable: bool = True) -> None:
            if self.full:
                path.with_name(f".tmp-{path.name}").write_bytes(content[:after])
                path.with_name(f".tmp-{path.name}").unlink()
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            real(path, content, durable=durable)

        monkeypatch.setattr(module, "write_whole", write)


def test_a_full_disk_costs_no_training_and_is_tried_again(
    tiny: Dataset, tiny_config: RunConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saving_module, "SAVE_AGAIN_S", 0.0)
    disk = FullDisk(monkeypatch, after=100)
    rig = Rig(tiny_config, tiny, tmp_path)
    rig.at[3] = lambda: rig.inbox.put(cmd.Save())
    rig.at[5] = lambda: setattr(disk, "full", False)
    assert isinstance(rig.run(), ev.Finished)
    failed = [event for event in rig.told(ev.Warned) if event.code == "save_failed"]
    assert failed
    assert "No space left on device" in failed[0].message
    saved = rig.told(ev.CheckpointSaved)[0]
    assert (saved.step, saved.reason) == (5, "asked")
    assert len(rig.losses()) == 24


def test_a_failed_save_is_tried_again_while_paused(
    tiny: Dataset, tiny_config: RunConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saving_module, "SAVE_AGAIN_S", 0.01)
    disk = FullDisk(monkeypatch, after=0)
    rig = Rig(tiny_config, tiny, tmp_path)
    rig.at[3] = lambda: [rig.inbox.put(command) for command in (cmd.Pause(), cmd.Save())]
    rig.on[ev.Warned] = lambda _: setattr(disk, "full", False)
    rig.on[ev.CheckpointSaved] = lambda event: rig.inbox.put(cmd.Stop()) if event.step == 3 else None
    assert isinstance(rig.run(), ev.Stopped)
    assert rig.told(ev.CheckpointSaved)[0].reason == "asked"


def test_a_last_save_that_fails_is_a_failure(
    tiny: Dataset, tiny_config: RunConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    FullDisk(monkeypatch, after=0)
    rig = Rig(tiny_config, tiny, tmp_path)
    end = rig.run()
    assert isinstance(end, ev.Failed)
    assert end.exit_code == 1
    told = [event.message.rpartition("; ")[2] for event in rig.told(ev.Warned)]
    assert told[-2:] == ["free some space, it is tried again after the last evaluation", "the run ends without it"]
    assert set(told[:-2]) == {"free some space, it is tried again in 30 s"}


def test_a_stop_whose_save_fails_promises_no_other(
    tiny: Dataset, tiny_config: RunConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    FullDisk(monkeypatch, after=0)
    rig = Rig(tiny_config, tiny, tmp_path)
    rig.at[2] = lambda: rig.inbox.put(cmd.Stop())
    assert isinstance(rig.run(), ev.Failed)
    (warned,) = rig.told(ev.Warned)
    assert warned.message.endswith("No space left on device; the run ends without it")


def test_a_failed_save_that_was_asked_for_is_kept_when_it_works(
    tiny: Dataset, tiny_config: RunConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The epoch's save comes before it would be tried again."""
    disk = FullDisk(monkeypatch, after=100)
    rig = Rig(tiny_config, tiny, tmp_path)
    rig.at[3] = lambda: rig.inbox.put(cmd.Save())
    rig.on[ev.Warned] = lambda _: setattr(disk, "full", False)
    rig.run()
    assert [event.code for event in rig.told(ev.Warned)] == ["save_failed"]
    first, *later = [(event.step, event.reason) for event in rig.told(ev.CheckpointSaved)]
    assert first == (8, "asked")
    assert all(reason != "asked" for _, reason in later)
    assert read_manifest(tmp_path / "checkpoints/step-00000008.json").keep
