"""How a run begins: settings that cannot be are refused in one line, and another run's network may be begun with."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from reid_tui.cli.main import run as command_line
from reid_tui.data import catalog
from reid_tui.data.dataset import Dataset, ImageSet, fingerprint
from reid_tui.training import events as ev
from reid_tui.training.checkpoint import load_latest, load_step
from tests.learning.test_weights import publish
from tests.opening.rig import begin
from tests.training.small import patterns

Say = Callable[..., tuple[int, str]]
PUBLISHED = "squeezenet1_1"


@pytest.fixture(autouse=True)
def data(tiny: Dataset, monkeypatch: pytest.MonkeyPatch) -> Callable[[Dataset], None]:
    """Whatever is asked for, the small data is found, or what the test puts in its place."""

    def use(dataset: Dataset) -> None:
        monkeypatch.setattr(catalog, "load", lambda *_: dataset)

    use(tiny)
    return use


@pytest.fixture
def say(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Say:
    """`reid-tui train` in this process; gives exit code and stderr. What is refused prints and leaves nothing else."""
    runs = tmp_path / "runs"

    def train(*argv: str, progress: str = "none") -> tuple[int, str]:
        before = sorted(runs.rglob("*"))
        capsys.readouterr()
        options = ["--device", "cpu", "--runs-dir", str(runs), "--progress", progress]
        code = command_line(["train", *options, *argv])
        captured = capsys.readouterr()
        if code:
            assert captured.out == ""
            assert sorted(runs.rglob("*")) == before
        return code, captured.err

    return train


def some_people(identities: range) -> Dataset:
    """Other patterns than those of `tiny`."""
    rng = np.random.default_rng(5)
    train, test = patterns(identities, 12, rng), patterns(identities, 6, rng)
    names = tuple(f"person {i}" for i in identities)
    return Dataset("people", train, test, names, names, "made", unseen=False, fingerprint=fingerprint(train, test))


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--images-per-identity", "65"], "--images-per-identity must be at most 64 with --batch-size 64, not 65"),
        (["--images-per-identity", "2", "--pairs", "random"], "--images-per-identity is for --pairs batch"),
        (["--loss", "ntxent", "--miner", "hard"], "--miner must be all with --loss ntxent, not 'hard'"),
        (["--loss", "triplet", "--pairs", "random"], "--loss triplet takes more than pairs that were drawn"),
        (["--loss", "circle", "--margin", "0.5"], "--margin does nothing with --loss circle: circle has a margin in"),
        (["--normalize", "--margin", "2.5"], "--margin must be at most 2 with --normalize, not 2.5"),
        (["--margin-schedule", "1 until 2", "--margin", "1.5"], "--margin 1.5 contradicts --margin-schedule"),
        (["--margin-schedule", "1 until 2, 2 until 1"], "--margin-schedule: each part must end later than the one"),
        (["--margin-schedule", ""], "--margin-schedule must be parts such as '1.0 until 2'"),
        (["--margin-schedule", "to 2.5 until 1", "--normalize"], "--margin-schedule must not go beyond 2 with"),
        (["--margin-schedule", "1.5", "--loss", "supcon"], "--margin-schedule does nothing with --loss supcon"),
        (["--embedding-dim", "1"], "--embedding-dim must be a whole number from 2 to 1024, not '1'"),
        (["--schedule", "cosine", "--steps", "9"], "--schedule cosine needs a run of at least 10 steps, and this one"),
        (["--model", "resnet18"], "images of 28x28 are too small for resnet18: at least 33x33 is needed"),
        (
            ["--model", "resnet81"],
            "--model must be tutorial, bn, small, vgg5, vgg8 or the name of a torchvision classification",
        ),
        (["--pretrained"], "there are none for --model tutorial"),
        (["--init", "nobody"], "no run 'nobody' in"),
    ],
)
def test_what_cannot_be_learned_is_one_line_and_leaves_nothing(argv: list[str], words: str, say: Say) -> None:
    code, err = say(*argv)
    assert (code, err.count("\n")) == (2, 1), err
    assert words in err


def test_weights_that_cannot_be_had_are_one_line(say: Say, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    published = publish(PUBLISHED, PUBLISHED, tmp_path, monkeypatch)
    whole = published.source.read_bytes()
    published.source.unlink()
    offline = say("--model", PUBLISHED, "--pretrained")
    published.cached.write_bytes(whole[:-1])
    cut = say("--model", PUBLISHED, "--pretrained")
    publish("shufflenet_v2_x0_5", PUBLISHED, tmp_path, monkeypatch)
    other = say("--model", PUBLISHED, "--pretrained")
    expected = (
        f"fetch {published.source.as_uri()} yourself and put it into {published.cached.parent}",
        f"{published.cached} is cut, or of another network (SHA-256",
        f"holds the weights of another network than {PUBLISHED}",
    )
    for (code, err), words in zip((offline, cut, other), expected, strict=True):
        assert (code, err.count("\n")) == (2, 1), err
        assert words in err


def test_a_loss_to_which_single_images_leave_nothing_is_refused(
    say: Say, data: Callable[[Dataset], None], tiny: Dataset
) -> None:
    first = np.unique(tiny.train.identities, return_index=True)[1]
    single = ImageSet(tiny.train.images[first], tiny.train.identities[first])
    data(dataclasses.replace(tiny, train=single))
    code, err = say("--loss", "triplet", "--batch-size", "4")
    assert (code, err.count("\n")) == (2, 1)
    assert "--loss triplet with --miner hard needs two images of an identity, and each of the 6 in training has" in err
    assert say("--loss", "contrastive", "--miner", "all", "--batch-size", "4", "--steps", "1")[0] == 0


def test_more_images_than_any_identity_has_are_told_of(say: Say) -> None:
    argv = ["--batch-size", "32", "--images-per-identity", "24", "--steps", "1"]
    code, err = say(*argv, progress="plain")
    assert code == 0
    assert "6 identities have fewer images than the 24 of an identity in a batch: theirs come more than once" in err


@pytest.mark.slow
def test_a_run_begins_with_and_takes_up_the_network_of_another_one_whose_identities_are_others(
    tmp_path: Path, data: Callable[[Dataset], None], say: Say
) -> None:
    runs, asked = tmp_path / "runs", {"model": "bn", "embedding_dim": 8, "pairs": "batch"}
    begin(runs, name="one", epochs=1, **asked)
    (one,) = runs.glob("*-one")
    learned = load_latest(one / "checkpoints")[0].tensors
    data(some_people(range(6, 9)))

    code, err = say("--init", "one", "--model", "small")
    assert (code, err.count("\n")) == (2, 1)
    assert "--init names a run of another network: " in err
    assert err.endswith("give that run's own --model\n")

    told = begin(runs, name="two", epochs=3, init="one", **asked)
    (two,) = runs.glob("*-two")
    begun = load_step(two / "checkpoints", 0).tensors
    network = [name for name in learned if name.startswith("network.")]
    assert network
    assert all(torch.equal(begun[name], learned[name]) for name in network)
    shutil.rmtree(one)
    losses = {event.step: event.loss for event in told if isinstance(event, ev.Progress)}
    for path in (two / "checkpoints").iterdir():
        if not path.name.startswith("step-00000000"):
            path.unlink()
    again = begin(runs, resume=str(two))
    assert isinstance(again[-1], ev.Finished)
    assert {event.step: event.loss for event in again if isinstance(event, ev.Progress)} == losses
