"""What the trainer is asked of single images: answers, files, refusals, and that no loss is another one for it."""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from reid_tui.config import RunConfig
from reid_tui.data.dataset import Dataset, ImageSet
from reid_tui.data.exclude import without
from reid_tui.data.pairs import EpochPairs
from reid_tui.evaluation.embed import embed
from reid_tui.learning.networks import to_input
from reid_tui.runs.snapshots import with_arrays
from reid_tui.training import commands as cmd
from reid_tui.training import events as ev
from reid_tui.training.questions import deciding_parts
from reid_tui.training.steps.parts import StepResult
from tests.training.rig import Rig


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "suspects.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def asked(rig: Rig, orders: dict[int, list[cmd.Command]]) -> Rig:
    for step, commands in orders.items():
        rig.at[step] = lambda commands=commands: [rig.inbox.put(command, "attach 42") for command in commands]  # type: ignore[misc]
    assert isinstance(rig.run(), ev.Finished)
    return rig


@pytest.mark.slow
def test_no_answer_changes_a_loss_or_a_weight(tiny: Dataset, tiny_config: RunConfig, tmp_path: Path) -> None:
    config = dataclasses.replace(tiny_config, embedding_dim=5)
    plain = Rig(config, tiny, tmp_path / "plain")
    plain.run()
    rig = asked(
        Rig(config, tiny, tmp_path / "asked"),
        {
            3: [cmd.ShowTraining(), cmd.Explain(True, 4, 9), cmd.MarkSuspect(True, 4, 1.5)],
            11: [cmd.Explain(False, 0, 1), cmd.ShowTraining(), cmd.MarkSuspect(True, 4, 1.5, marked=False)],
            13: [cmd.Explain(False, 0, 0)],
        },
    )
    assert rig.losses() == plain.losses()
    assert all(torch.equal(value, plain.weights()[name]) for name, value in rig.weights().items())
    last = [run.told(ev.EmbeddingsReady)[-1].points for run in (rig, plain)]
    np.testing.assert_array_equal(*last)
    shown = [event for event in rig.told(ev.EmbeddingsReady) if event.split == "train"]
    assert [event.step for event in shown] == [3, 11]
    assert all(event.origin == "attach 42" for event in shown)
    assert sorted(path.name for path in (tmp_path / "asked" / "embeddings").glob("train*")) == ["train-00000011.npz"]
    read = with_arrays(tmp_path / "asked", dataclasses.replace(shown[1], embeddings=None, rows=None))
    np.testing.assert_array_equal(read.embeddings, shown[1].embeddings)
    np.testing.assert_array_equal(read.identities, tiny.train.identities[read.rows])
    equal = rig.told(ev.PairExplained)[-1]
    assert (equal.distance, set(equal.first_parts)) == (0.0, {0})


def test_suspects_are_rows_that_exclude_reads(tiny: Dataset, tiny_config: RunConfig, tmp_path: Path) -> None:
    train = dataclasses.replace(tiny.train, cameras=np.arange(120) % 2, paths=[f"a,{n}.png" for n in range(120)])
    dataset = dataclasses.replace(tiny, train=train, root="/crops")
    config = dataclasses.replace(tiny_config, epochs=1)
    marks: list[cmd.Command] = [
        cmd.MarkSuspect(True, 4, 1.25),
        cmd.MarkSuspect(False, 7, 0.5),
        cmd.MarkSuspect(True, 9, 2),
    ]
    rig = asked(Rig(config, dataset, tmp_path), {2: marks, 4: [cmd.MarkSuspect(True, 9, 2, marked=False)]})
    assert [tuple(row.values()) for row in rows(tmp_path)] == [
        ("/crops/a,4.png", "train", "4", f"pattern {train.identities[4]}", "1", "2", "1.25"),
        ("", "test", "7", f"pattern {tiny.test.identities[7]}", "", "2", "0.5"),
    ]
    assert [event.marked for event in rig.told(ev.SuspectMarked)] == [True, True, True, False]
    left = without(dataset, str(tmp_path / "suspects.csv"), lambda _: None)
    assert (len(left.train), len(left.test)) == (119, 59)
    assert "/crops/a,4.png" not in {left.path_of(left.train, place) for place in range(119)}
    again = asked(Rig(config, left, tmp_path), {2: [cmd.MarkSuspect(True, 4, 1.0)]})
    assert again.told(ev.SuspectMarked)[0].path == "/crops/a,5.png"
    assert rows(tmp_path)[-1]["row"] == "5", "its name in the whole split"


@pytest.mark.slow
def test_what_is_left_out_is_in_no_pair_from_the_next_epoch_on(
    tiny: Dataset, tiny_config: RunConfig, tmp_path: Path
) -> None:
    plain = Rig(tiny_config, tiny, tmp_path / "plain")
    plain.run()
    rig = Rig(tiny_config, tiny, tmp_path / "asked")
    seen: dict[int, set[int]] = {}
    advance = rig.learner.advance

    def watched(batches: Sequence[EpochPairs], step: int, factors: Sequence[float]) -> list[StepResult]:
        images = np.concatenate([batches[0].first_P, batches[0].second_P])
        seen.setdefault(step // 8, set()).update(images.tolist())
        return advance(batches, step, factors)

    rig.learner.advance = watched  # type: ignore[method-assign]
    asked(rig, {3: [cmd.LeaveOut(5)], 8: [cmd.LeaveOut(6)], 12: [cmd.LeaveOut(5, out=False), cmd.LeaveOut(7)]})
    assert [(e.step, e.row, e.out, e.epoch) for e in rig.told(ev.ImageLeftOut)] == [
        (3, 5, True, 2),
        (8, 6, True, 2),
        (12, 5, False, 3),
        (12, 7, True, 3),
    ]
    assert [{5, 6, 7} - seen[epoch] for epoch in range(3)] == [set(), {5, 6}, {6, 7}]
    same = [rig.losses()[step] == plain.losses()[step] for step in range(1, 10)]
    assert same[:8] == [True] * 8
    assert rig.losses()[24] != plain.losses()[24]


@pytest.mark.slow
@pytest.mark.parametrize(("stop", "pairs"), [(5, "random"), (8, "random"), (10, "batch"), (16, "batch")])
def test_a_resumed_run_leaves_out_the_same(
    stop: int, pairs: str, tiny: Dataset, tiny_config: RunConfig, tmp_path: Path
) -> None:
    config = dataclasses.replace(tiny_config, pairs=pairs, images_per_identity=4 if pairs == "batch" else None)
    orders: dict[int, list[cmd.Command]] = {3: [cmd.LeaveOut(5)], 7: [cmd.LeaveOut(9)], 9: [cmd.LeaveOut(5, out=False)]}
    whole, first, second = (Rig(config, tiny, tmp_path / name) for name in ("whole", "cut", "cut"))
    asked(whole, dict(orders))
    for rig, steps in ((first, range(1, stop)), (second, range(stop, 24))):
        for step in set(orders) & set(steps):
            rig.at[step] = lambda rig=rig, step=step: [rig.inbox.put(command) for command in orders[step]]  # type: ignore[misc]
    first.at[stop] = lambda: first.inbox.put(cmd.Stop())
    first.run()
    kept = first.keeper.load(stop)
    second.trainer.restore(kept.manifest.state, kept.tensors)
    second.run()
    assert first.losses() | second.losses() == whole.losses()
    assert second.told(ev.RunStarted)[0].left_out == kept.manifest.state.left_out_next != ()


@pytest.mark.slow
def test_gone_back_brings_back_what_was_left_out_later(tiny: Dataset, tiny_config: RunConfig, tmp_path: Path) -> None:
    rig = asked(
        Rig(tiny_config, tiny, tmp_path),
        {3: [cmd.LeaveOut(5)], 10: [cmd.LeaveOut(6), cmd.GoBack(8), cmd.Resume()]},
    )
    assert [event.left_out for event in rig.told(ev.Rewound)] == [(5,)]
    plain = asked(Rig(tiny_config, tiny, tmp_path / "plain"), {3: [cmd.LeaveOut(5)]})
    assert {step: rig.losses()[step] for step in range(9, 25)} == {step: plain.losses()[step] for step in range(9, 25)}


def test_turned_images_are_left_out_with_their_image(tiny: Dataset, tiny_config: RunConfig, tmp_path: Path) -> None:
    rig = Rig(dataclasses.replace(tiny_config, rotations=True), tiny, tmp_path)
    drawn = rig.learner.draw(0, frozenset({5}))
    assert not (np.concatenate([drawn.first_P, drawn.second_P]) % 120 == 5).any()
    assert len(drawn) == 480


def test_several_processes_leave_nothing_out(tiny: Dataset, tiny_config: RunConfig, tmp_path: Path) -> None:
    rig = Rig(tiny_config, tiny, tmp_path)
    rig.learner.parts = dataclasses.replace(rig.learner.parts, group=object())  # type: ignore[arg-type]
    rig.trainer.answer(cmd.LeaveOut(5))
    rig.trainer._emit.refusals.tell(all_of_them=True)
    (refused,) = rig.told(ev.CommandRefused)
    assert refused.reason == "images are left out of a run of one process only"
    assert rig.trainer._left_out.last == frozenset()


def test_refusals_say_why_and_change_nothing(tiny: Dataset, tiny_config: RunConfig, tmp_path: Path) -> None:
    train = ImageSet(tiny.train.images[:3], np.array([0, 1, 1]))
    dataset = dataclasses.replace(tiny, train=train)
    rig = Rig(tiny_config, dataset, tmp_path)
    (tmp_path / "suspects.csv").write_text("a\n1\n")
    asked(
        rig,
        {
            1: [
                cmd.LeaveOut(0),
                cmd.LeaveOut(1, out=False),
                cmd.LeaveOut(3),
                cmd.Explain(True, 0, 3),
                cmd.MarkSuspect(False, 60, 1.0),
                cmd.MarkSuspect(True, 0, 1.0),
            ]
        },
    )
    reasons = [event.reason for event in rig.told(ev.CommandRefused)]
    assert reasons == [
        "training image 0 must stay: pairs need images of at least 2 identities, not of 1; take another data set",
        "training image 1 is not left out",
        "the split train has 3 images, none at 3",
        "the split train has 3 images, none at 3",
        "the split test has 60 images, none at 60",
        "suspects.csv has no columns split and row; move it away",
    ]
    assert (tmp_path / "suspects.csv").read_text() == "a\n1\n"


def test_deciding_parts_are_those_of_finite_differences() -> None:
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 8 * 4, 5), torch.nn.Tanh()).double()
    images = torch.randint(0, 256, (2, 3, 8, 4), dtype=torch.uint8)

    @torch.no_grad()
    def squared(inputs: torch.Tensor) -> float:
        first, second = network(inputs)
        return float((first - second).square().sum())

    class Wide(torch.nn.Module):
        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            return network(inputs.double())  # type: ignore[no-any-return]

    distance, parts = deciding_parts(Wide(), images)
    inputs = to_input(images).double()
    assert distance**2 == pytest.approx(squared(inputs), rel=1e-5)
    slopes = torch.zeros(2, 3, 8, 4, dtype=torch.float64)
    for index in np.ndindex(2, 3, 8, 4):
        moved = inputs.clone()
        moved[index] += 1e-6
        slopes[index] = (squared(moved) - squared(inputs)) / 1e-6
    power = slopes.abs().sum(dim=1)
    expected = power / power.amax(dim=(1, 2), keepdim=True) * 9
    assert parts.shape == (2, 8, 4)
    assert (parts - expected).abs().max() < 0.51
    assert all(weight.grad is None for weight in network.parameters())


@pytest.mark.slow
def test_a_picture_is_embedded_as_its_pixels_would_be_and_changes_no_loss(
    tiny: Dataset, tiny_config: RunConfig, tmp_path: Path
) -> None:
    plain = Rig(tiny_config, tiny, tmp_path / "plain")
    plain.run()
    png, text = tmp_path / "query.png", tmp_path / "notes.txt"
    Image.fromarray(tiny.test.images[5, 0]).save(png)
    text.write_text("no picture")
    rig = Rig(tiny_config, tiny, tmp_path / "asked")
    wanted: list[torch.Tensor] = []
    pixels = torch.from_numpy(tiny.test.images[5:6])
    rig.on[ev.PictureEmbedded] = lambda _: wanted.append(embed(rig.learner.scored, pixels, prepare=to_input)[0])
    paths = [str(png), str(text), str(tmp_path / "gone.png"), str(tmp_path), "/dev/zero"]
    asked(rig, {5: [cmd.EmbedPicture(path) for path in paths], 13: [cmd.EmbedPicture(str(png))]})
    assert rig.losses() == plain.losses()
    assert all(torch.equal(value, plain.weights()[name]) for name, value in rig.weights().items())
    told = rig.told(ev.PictureEmbedded)
    assert [event.path for event in told] == [*paths, str(png)]
    for event, vector in ((told[0], wanted[0]), (told[-1], wanted[-1])):
        assert event.embedding == tuple(vector.tolist())
        assert event.problem == ""
        np.testing.assert_array_equal(event.image, tiny.test.images[5])
    assert told[0].embedding != told[-1].embedding
    assert [event.embedding for event in told[1:5]] == [()] * 4
    assert all(event.problem.startswith(f"{event.path} cannot be used: ") for event in told[1:5])
    assert not rig.told(ev.CommandRefused)
