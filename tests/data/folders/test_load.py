from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from reid_tui.cli.main import run
from reid_tui.config import DataOptions, RunOptions, resolve
from reid_tui.data import catalog
from reid_tui.data.dataset import Dataset, ImageSet
from reid_tui.data.pairs import draw_epoch
from reid_tui.training.learner import Learner
from tests.data.folders.people_files import as_csv, as_folder, as_market, put


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def opened(spec: str, **more: str) -> Dataset:
    return catalog.load(DataOptions(data=spec, **more), lambda *_: None)


def in_order(split: ImageSet) -> list[tuple[int, int, bytes]]:
    """Every image with its labels, whatever the order of the split."""
    images = split.take(np.arange(len(split)))
    cameras = np.zeros(len(split), int) if split.cameras is None else split.cameras
    return sorted(
        (int(identity), int(camera), image.tobytes())
        for identity, camera, image in zip(split.identities, cameras, images, strict=True)
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("write", "more"),
    [
        (lambda data, root: f"folder:{as_folder(data, root)}", {"camera_pattern": r"^c(\d)_"}),
        (lambda data, root: f"market1501:{as_market(data, root)}", {}),
        (lambda data, root: f"csv:{as_csv(data, root)}", {}),
    ],
    ids=["folder", "market1501", "csv"],
)
def test_the_pedestrians_as_files_are_the_pedestrians(
    write: Callable[[Dataset, Path], str], more: dict[str, str], people_set: Dataset, tmp_path: Path
) -> None:
    found = opened(write(people_set, tmp_path / "people"), **more)
    assert found.image_size == "64x32"
    assert found.findings == ()
    assert found.unseen
    assert found.seen is found.validation is None
    assert len(found.identity_names) == 64
    rows = np.arange(len(people_set.train))
    assert (found.train.take(rows) == people_set.train.images).all(), "in the very order, so that losses are the same"
    assert (found.train.identities == people_set.train.identities).all()
    assert found.train.cameras is not None
    assert (found.train.cameras == people_set.train.cameras).all()
    assert in_order(found.test) == in_order(people_set.test)


def few(people: Dataset, identities: int) -> Dataset:
    """The first people of each part."""
    parts = []
    for split in (people.train, people.test):
        rows = split.identities < identities
        assert split.cameras is not None
        parts.append(ImageSet(split.images[rows], split.identities[rows], split.cameras[rows]))
    return replace(people, train=parts[0], test=parts[1])


@pytest.mark.slow
def test_losses_on_files_are_those_on_the_set(people_set: Dataset, tmp_path: Path) -> None:
    small = few(people_set, 12)
    found = opened(f"market1501:{as_market(small, tmp_path / 'people')}")
    config = resolve(RunOptions(batch_size=16, seed=1), "pedestrians", 12)
    losses = []
    for data in (small, found):
        learner = Learner(config, data.train, torch.device("cpu"))
        pairs = draw_epoch(data.train.identities, 1, 0)
        losses.append([learner.step(pairs[start : start + 16]).loss for start in (0, 16, 32)])
    assert losses[0] == losses[1]


HOSTILE = (
    b"\x1b[31mred\x1b]0;title\x07",
    b"two\nlines",
    "\u202egnp.exe".encode(),
    "\U0001f984 unicorn".encode(),
    b"x" * 255,
    b"latin \xe9\xff",
    b"[bold]not[bold]",
    b" ",
    b"-rf",
    b"'\"$(reboot)`",
)


def test_names_of_any_kind_are_shown_harmlessly_and_come_back_from_json(
    people_set: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "crops"
    for number, name in enumerate(HOSTILE):
        for image in range(4):
            put(
                root / os.fsdecode(name) / f"{image}.png",
                people_set.train.images[16 * number + image],
            )
    assert run(["data", str(root), "--holdout", "3", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    names = {os.fsencode(name) for name in (*told["held_out"], *told["validating"])}
    assert len(names) == 5
    assert names <= set(HOSTILE)
    for holdout in ("3", "6"):
        assert run(["data", str(root), "--holdout", holdout, "--pairs", "6"]) == 0
        shown = capsys.readouterr()
        assert not set(shown.out + shown.err) & set("\x1b\x07\u202e\udce9"), "nothing that a terminal obeys"


def test_planted_faults_are_found(people_set: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = as_folder(few(people_set, 12), tmp_path / "crops", split=False)
    (root / "P003" / "copy.png").write_bytes((root / "P001" / "c1_0.png").read_bytes())
    (root / "P002" / "cut.png").write_bytes((root / "P002" / "c1_0.png").read_bytes()[:200])
    (root / "P002" / "outside.png").symlink_to(tmp_path / "elsewhere.png")
    (tmp_path / "elsewhere.png").write_bytes((root / "P002" / "c1_1.png").read_bytes())
    os.mkfifo(root / "P002" / "pipe.png")
    put(root / "lonely" / "1.png", np.full((3, 64, 32), 9, np.uint8))
    put(root / "p004" / "1.png", np.full((3, 64, 32), 7, np.uint8))
    (root / "notes.txt").write_text("x")
    assert run(["data", str(root), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    found = {finding["code"]: finding for finding in told["findings"]}
    assert found["same_under_two_identities"]["examples"] == ["P001/c1_0.png = P003/copy.png"]
    assert found["unreadable"]["count"] == 1
    assert found["links_outside"]["count"] == found["not_regular"]["count"] == 1
    assert set(found["single_image"]["examples"]) == {"lonely", "p004"}
    assert "names_differ_in_case" in found
    assert found["same_under_two_identities"]["grave"]
    for said in ("removed", "nothing is kept"):
        assert run(["data", "--forget", str(root)]) == 0
        assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("holdout", "words"), [("1", "keeps 1 of 24 identities"), ("23", "keeps 23 of 24"), ("0.99", "keeps 24 of 24")]
)
def test_a_holdout_that_leaves_too_few_is_one_line(
    holdout: str, words: str, people_set: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = as_folder(few(people_set, 12), tmp_path / "crops", split=False)
    assert run(["data", str(root), "--holdout", holdout]) == 2
    told = capsys.readouterr()
    assert (told.out, told.err.count("\n")) == ("", 1)
    assert words in told.err


@pytest.mark.parametrize("prefix", ["", "folder:"])
def test_what_is_kept_of_a_folder_that_is_gone_can_be_removed(
    prefix: str, people_set: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = as_folder(few(people_set, 4), tmp_path / "crops", split=False)
    opened(str(root))
    root.rename(tmp_path / "gone")
    assert run(["data", "--forget", f"{prefix}{root}"]) == 0
    assert "removed" in capsys.readouterr().err
