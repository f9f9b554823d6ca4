"""From what was asked for to a run with no value left open."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

from reid_tui.config.choices import FEW_IDENTITIES, LARGEST_ALL_PAIRS, LOSSES, MODELS, ON_SPHERE
from reid_tui.config.learning import check_network, check_objective, miners_of
from reid_tui.config.options import RunConfig, RunOptions
from reid_tui.errors import UsageError


@dataclass(frozen=True, slots=True)
class Preset:
    """Values that stand when the person says nothing."""

    epochs: int
    batch_size: int
    lr: float
    margin: float
    pairs: str
    precision: str = "fp32"
    eval_every: float = 0.5


TUTORIAL: Final = Preset(epochs=5, batch_size=64, lr=1e-3, margin=1.0, pairs="random")
FAST: Final = Preset(epochs=5, batch_size=64, lr=1e-3, margin=1.0, pairs="batch", precision="auto")
PRESET_VALUES: Final[dict[tuple[str, str], Preset]] = {
    # 2,048 images instead of 60,000: more passes, nothing else.
    ("tutorial", "pedestrians"): Preset(epochs=24, batch_size=64, lr=1e-3, margin=1.0, pairs="random", eval_every=2),
    ("fast", "pedestrians"): Preset(
        epochs=20, batch_size=64, lr=5e-4, margin=1.0, pairs="batch", precision="auto", eval_every=2
    ),
}


IMAGES_PER_IDENTITY: Final = 4
FILES_SEEN: Final = 50_000
"""Images of a person's own that a run sees by default, each as first of a pair: few pictures are passed more often."""
MOST_EPOCHS: Final = 100


def preset_for(preset: str, dataset: str) -> Preset:
    """The preset's values on a data set; most data sets share them."""
    return PRESET_VALUES.get((preset, dataset), FAST if preset == "fast" else TUTORIAL)


def preset_for_files(preset: str, images: int) -> Preset:
    """The preset's values on so many training images of a person's own."""
    epochs = min(max(TUTORIAL.epochs, round(FILES_SEEN / max(images, 1))), MOST_EPOCHS)
    return replace(FAST if preset == "fast" else TUTORIAL, epochs=epochs, eval_every=max(0.5, epochs // 12))


def resolve(
    options: RunOptions, dataset: str, identities: int, *, image_size: str | None = None, images: int = 0
) -> RunConfig:
    """Fill every open value from the preset.

    Args:
        options: what was asked.
        dataset: what opens the data set again, never "auto".
        identities: how many identities its training images show.
        image_size: to which its pictures were brought, where they are a person's own.
        images: how many of them are trained on.

    Returns:
        A complete config. Precision may still be "auto": only torch knows the device.

    Raises:
        UsageError: all pairs of a batch this large do not fit into any memory.
    """
    name = options.preset or "tutorial"
    preset = preset_for(name, dataset) if image_size is None else preset_for_files(name, images)
    loss = options.loss or LOSSES[0]
    config = RunConfig(
        data=dataset,
        preset=name,
        epochs=options.epochs or preset.epochs,
        steps=options.steps,
        batch_size=options.batch_size or preset.batch_size,
        lr=options.lr or preset.lr,
        margin=options.margin or preset.margin,
        pairs=_pairs(options, preset),
        loss=loss,
        model=options.model or MODELS[0],
        embedding_dim=options.embedding_dim or (2 if identities <= FEW_IDENTITIES else 64),
        precision=options.precision or preset.precision,
        seed=options.seed or 0,
        eval_every=options.eval_every or preset.eval_every,
        eval_images=2000,
        image_root=options.image_root,
        image_size=image_size,
        camera_pattern=options.camera_pattern,
        holdout=options.holdout,
        **_learning(options, preset, loss),
    )
    if options.margin is not None and config.why_no_margin:
        raise UsageError(f"--margin does nothing with --loss {loss}: {config.why_no_margin}; leave it out")
    check_network(config.network, None if config.why_no_margin else config.margin)
    check_objective(config.loss, options.miner and config.miner, config.pairs)
    if (each := config.images_per_identity) is not None and each > config.batch_size:
        raise UsageError(
            f"--images-per-identity must be at most {config.batch_size} with --batch-size {config.batch_size}, "
            f"not {each}: a batch of twice as many images shows at least two identities"
        )
    if options.images_per_identity is not None and config.pairs != "batch":
        raise UsageError("--images-per-identity is for --pairs batch; leave it out, or say --pairs batch")
    if config.pairs == "batch" and config.batch_size > LARGEST_ALL_PAIRS:
        raise UsageError(
            f"--batch-size must be at most {LARGEST_ALL_PAIRS} with --pairs batch, not {config.batch_size}: "
            "the pairs among a batch's images grow with its square"
        )
    return config


def _pairs(options: RunOptions, preset: Preset) -> str:
    """A loss or a miner that needs whole batches brings them along."""
    needed = options.loss not in (None, LOSSES[0]) or options.miner is not None or options.images_per_identity
    return options.pairs or ("batch" if needed else preset.pairs)


def _learning(options: RunOptions, preset: Preset, loss: str) -> dict[str, Any]:
    """What of the rest was said, and what follows from the loss."""
    in_batches = _pairs(options, preset) == "batch"
    batch_size = options.batch_size or preset.batch_size
    said = {
        name: value
        for name in (
            "bnneck",
            "pretrained",
            "init",
            "augment",
            "rotations",
            "optimizer",
            "weight_decay",
            "schedule",
            "average_weights",
        )
        if (value := getattr(options, name)) is not None
    }
    return {
        "images_per_identity": (options.images_per_identity or min(IMAGES_PER_IDENTITY, batch_size))
        if in_batches
        else None,
        "miner": options.miner or miners_of(loss)[0],
        "normalize": loss in ON_SPHERE if options.normalize is None else options.normalize,
        **said,
    }
