from __future__ import annotations

from typing import Any

import pytest

from reid_tui import config
from reid_tui.config import (
    NetworkOptions,
    RunConfig,
    RunOptions,
    check_network,
    parse_number,
    parse_whole,
    resolve,
)
from reid_tui.data.pairs import steps_per_epoch
from reid_tui.errors import UsageError
from reid_tui.learning.schedules import check_schedule


@pytest.mark.parametrize("name", [name for name, limit in config.LIMITS.items() if limit.above])
@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "-inf", "abc", "", "1e99"])
def test_real_numbers_that_are_refused(name: str, text: str) -> None:
    with pytest.raises(UsageError, match=r"must be a number above 0 up to") as error:
        parse_number(name, text)
    assert repr(text) in str(error.value)
    assert error.value.exit_code == 2


@pytest.mark.parametrize("name", ["epochs", "steps", "batch_size", "embedding_dim"])
@pytest.mark.parametrize("text", ["0", "-5", "1.5", "nan", "ten", "9" * 30, "1e3"])
def test_whole_numbers_that_are_refused(name: str, text: str) -> None:
    with pytest.raises(UsageError, match="must be a whole number from"):
        parse_whole(name, text)


def test_large_seed_is_exact() -> None:
    assert parse_whole("seed", str(2**32 - 1)) == 2**32 - 1
    with pytest.raises(UsageError, match="from 0 to 4294967295, not '4294967296'"):
        parse_whole("seed", str(2**32))


def test_the_tutorial_to_the_letter() -> None:
    assert resolve(RunOptions(), "fashion-mnist", 10) == RunConfig(
        data="fashion-mnist",
        preset="tutorial",
        epochs=5,
        steps=None,
        batch_size=64,
        lr=1e-3,
        margin=1.0,
        pairs="random",
        loss="contrastive",
        model="tutorial",
        embedding_dim=2,
        precision="fp32",
        seed=0,
        eval_every=0.5,
        eval_images=2000,
    )


def test_what_is_said_wins_and_many_identities_get_more_dimensions() -> None:
    options = RunOptions(epochs=7, margin=0.5, pairs="random", embedding_dim=None)
    settled = resolve(options, "pedestrians", 128)
    assert (settled.epochs, settled.margin, settled.pairs, settled.embedding_dim) == (7, 0.5, "random", 64)


def test_given_leaves_out_what_was_not_said() -> None:
    assert RunOptions(epochs=3, device="cpu").given() == {"epochs": 3, "device": "cpu"}


@pytest.mark.parametrize("name", ["", "..", "a/b", "-x", "a" * 65, "\x1b[31m", "ä"])
def test_names_that_are_no_folder(name: str) -> None:
    with pytest.raises(UsageError, match="--name must be"):
        config.parse_name(name)


@pytest.mark.parametrize("loss", config.LOSSES)
def test_a_margin_is_for_losses_that_have_one(loss: str) -> None:
    settled = resolve(RunOptions(loss=loss), "fashion-mnist", 10)
    assert bool(settled.why_no_margin) == (loss in config.WITHOUT_MARGIN)
    if settled.why_no_margin:
        with pytest.raises(UsageError, match=f"--margin does nothing with --loss {loss}: {loss} has .*; leave it out"):
            resolve(RunOptions(loss=loss, margin=1.0), "fashion-mnist", 10)
    else:
        assert resolve(RunOptions(loss=loss, margin=0.5), "fashion-mnist", 10).margin == 0.5


def test_a_margin_ends_where_the_sphere_does() -> None:
    free, on_sphere = (resolve(RunOptions(normalize=on), "fashion-mnist", 10).margin_limit for on in (False, True))
    assert free.read("2.5", "margin") == 2.5
    assert on_sphere.read("2", "margin") == 2
    with pytest.raises(UsageError, match=r"margin must be a number above 0 up to 2, not '2\.5'"):
        on_sphere.read("2.5", "margin")


def test_all_pairs_of_a_huge_batch_are_refused() -> None:
    with pytest.raises(UsageError, match="at most 2048 with --pairs batch, not 4096"):
        resolve(RunOptions(pairs="batch", batch_size=4096), "fashion-mnist", 10)


def test_a_margin_that_nothing_on_the_sphere_reaches() -> None:
    on_sphere = NetworkOptions("small", 2, normalize=True)
    with pytest.raises(UsageError, match=r"--margin must be at most 2 with --normalize, not 2\.05"):
        check_network(on_sphere, 2.05)
    for options, margin in ((on_sphere, 2.0), (on_sphere, None), (NetworkOptions("small", 2), 5.0)):
        check_network(options, margin)


def test_weights_that_nobody_publishes() -> None:
    with pytest.raises(UsageError, match=r"--pretrained takes .* none for --model small"):
        check_network(NetworkOptions("small", 2, pretrained=True), 1.0)
    check_network(NetworkOptions("resnet18", 2, pretrained=True), 1.0)


def test_an_embedding_has_two_dimensions_at_least() -> None:
    with pytest.raises(UsageError, match="--embedding-dim must be a whole number from 2"):
        parse_whole("embedding_dim", "1")


def test_which_feature_is_tested_is_told() -> None:
    assert config.tested_feature(NetworkOptions("bn", 2)) == "2-D embedding"
    whole = NetworkOptions("resnet18", 64, normalize=True, bnneck=True)
    assert config.tested_feature(whole) == "64-D embedding, after the BNNeck, brought to length 1"


def test_every_loss_has_miners_and_every_miner_a_loss() -> None:
    assert {miner for loss in config.LOSSES for miner in config.miners_of(loss)} == set(config.MINERS)
    assert {*config.MINERS_OF, *config.WITHOUT_MARGIN} <= set(config.LOSSES)
    for loss in config.LOSSES:
        for miner in (None, *config.miners_of(loss)):
            config.check_objective(loss, miner, "batch")


@pytest.mark.parametrize("miner", [None, "all"])
def test_drawn_pairs_take_the_contrastive_loss_alone(miner: str | None) -> None:
    config.check_objective("contrastive", miner, "random")


@pytest.mark.parametrize(
    ("loss", "miner", "pairs", "words"),
    [
        ("quadruplet", None, "batch", "--loss must be one of contrastive, triplet, .*, not 'quadruplet'"),
        ("contrastive", "easy", "batch", "--miner must be one of all, margin, .*, not 'easy'"),
        ("ntxent", "hard", "batch", "--miner must be all with --loss ntxent, not 'hard'"),
        ("triplet", "all", "batch", "--miner must be hard or semihard or distance with --loss triplet, not 'all'"),
        ("triplet", None, "random", "--loss triplet .* --pairs batch"),
        ("contrastive", "hard", "random", "--miner hard .* --pairs batch"),
    ],
)
def test_objectives_that_do_not_go_together(loss: str, miner: str | None, pairs: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        config.check_objective(loss, miner, pairs)


@pytest.mark.parametrize(
    ("name", "most", "message"),
    [
        ("weight_decay", "1", "--weight-decay must be a number from 0 to 1, not '1.1'"),
        ("average_weights", "0.99999", "--average-weights must be a number from 0 to 0.99999, not '1.1'"),
    ],
)
def test_what_may_be_left_off_and_has_an_end(name: str, most: str, message: str) -> None:
    assert [parse_number(name, text) for text in ("0", most)] == [0, float(most)]
    for text in ("-0.1", "nan", "1.1"):
        with pytest.raises(UsageError, match=message.replace("1.1", text)):
            parse_number(name, text)


def test_a_batch_has_room_for_two_identities() -> None:
    with pytest.raises(UsageError, match="--images-per-identity must be at most 16 with --batch-size 16, not 17"):
        resolve(RunOptions(batch_size=16, images_per_identity=17), "pedestrians", 10)
    assert resolve(RunOptions(batch_size=16, images_per_identity=16), "pedestrians", 10).pairs == "batch"
    assert resolve(RunOptions(batch_size=2, preset="fast"), "pedestrians", 10).images_per_identity == 2


@pytest.mark.parametrize(("preset", "most"), [("fast", 60_000), ("best", 240_000)])
@pytest.mark.parametrize("data", ["fashion-mnist", "pedestrians"])
def test_a_preset_takes_no_more_image_forwards_than_it_says(preset: str, most: int, data: str) -> None:
    images = 60_000 if data == "fashion-mnist" else 2048
    for batch_size in (None, 16, 100):
        settled = resolve(RunOptions(preset=preset, batch_size=batch_size), data, 10, images=images)
        assert settled.steps is not None
        steps = min(settled.steps, settled.epochs * steps_per_epoch(images, settled.batch_size))
        assert steps == settled.steps, "the epochs have room for them"
        assert most / 20 < steps * 2 * settled.batch_size <= most


def test_what_was_said_of_the_length_stands() -> None:
    def length(**said: int) -> tuple[int, int | None]:
        settled = resolve(RunOptions(preset="fast", **said), "fashion-mnist", 10, images=60_000)
        return settled.epochs, settled.steps

    assert length() == (1, 281)
    assert length(epochs=3) == (3, None)
    assert length(steps=2000) == (3, 2000)
    assert length(epochs=1, steps=20) == (1, 20)


def test_what_was_said_of_the_loss_wins_over_a_preset() -> None:
    def learned(**said: Any) -> tuple[str, str, str, str, int | None]:
        settled = resolve(RunOptions(preset="fast", **said), "fashion-mnist", 10, images=60_000)
        each = settled.images_per_identity
        return settled.pairs, settled.loss, settled.miner, settled.model, each

    assert learned() == ("batch", "contrastive", "margin", "vgg5", 2)
    assert learned(miner="hard") == ("batch", "contrastive", "hard", "vgg5", 2)
    assert learned(loss="triplet", images_per_identity=4) == ("batch", "triplet", "hard", "vgg5", 4)
    assert learned(pairs="random", model="tutorial") == ("random", "contrastive", "all", "tutorial", None)
    drawn = resolve(RunOptions(preset="best", pairs="random"), "pedestrians", 64, images=2048)
    assert (drawn.loss, drawn.miner, drawn.normalize) == ("contrastive", "all", False)
    assert resolve(RunOptions(preset="best"), "pedestrians", 64, images=2048).normalize
    kept = resolve(RunOptions(preset="best", average_weights=0.0, schedule="constant"), "mnist", 10, images=60_000)
    assert (kept.average_weights, kept.schedule) == (0, "constant")


@pytest.mark.parametrize("images", [3, 40, 700, 90_000])
@pytest.mark.parametrize("preset", ["tutorial", "fast", "best"])
def test_own_images_of_any_number_make_a_run_that_its_schedule_fits(preset: str, images: int) -> None:
    settled = resolve(RunOptions(preset=preset), "folder:x", 3, image_size="32x16", images=images)
    whole = settled.epochs * steps_per_epoch(images, settled.batch_size)
    check_schedule(settled.schedule, whole if settled.steps is None else min(whole, settled.steps))
    assert settled.model == ("small" if preset == "best" else "tutorial")
