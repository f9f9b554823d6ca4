"""From what was asked for to a run with no value left open."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

from reid_tui.config.choices import FEW_IDENTITIES, LARGEST_ALL_PAIRS, LOSSES, MODELS, ON_SPHERE
from reid_tui.config.learning import check_network, check_objective, miners_of
from reid_tui.config.margins import check_margin_schedule, first_margin
from reid_tui.config.options import RunConfig, RunOptions
from reid_tui.errors import UsageError

FILES: Final = "files"
"""Where a data set's name stands for images of a person's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """Values that stand when the person says nothing."""

    epochs: int = 5
    forwards: int | None = None
    """Images that go through the network in the whole run, whatever the batch size; None: as the epochs give."""
    batch_size: int = 64
    lr: float = 1e-3
    margin: float = 1.0
    pairs: str = "random"
    loss: str = LOSSES[0]
    miner: str | None = None
    images_per_identity: int = 4
    model: str = MODELS[0]
    schedule: str = "constant"
    average_weights: float = 0.0
    precision: str = "fp32"
    eval_every: float = 0.5


TUTORIAL: Final = Preset()
FAST: Final = Preset(
    forwards=36_000,
    lr=3e-2,
    margin=1.5,
    pairs="batch",
    miner="margin",
    images_per_identity=2,
    model="vgg5",
    schedule="onecycle",
    precision="auto",
    eval_every=0.1,
)
BEST: Final = Preset(
    forwards=240_000,
    lr=1e-2,
    margin=2.0,
    pairs="batch",
    miner="margin",
    model="vgg8",
    schedule="onecycle",
    average_weights=0.98,
    precision="auto",
    eval_every=0.25,
)
_FAST_REID: Final = Preset(
    forwards=24_576, lr=2e-3, pairs="batch", miner="hard", schedule="onecycle", precision="auto", eval_every=1
)
_BEST_REID: Final = Preset(
    forwards=49_152,
    lr=3e-3,
    pairs="batch",
    loss="multi-similarity",
    model="small",
    schedule="onecycle",
    precision="auto",
    eval_every=2,
)
PRESET_VALUES: Final[dict[str, dict[str, Preset]]] = {
    "tutorial": {
        "": TUTORIAL,
        # 2,048 images instead of 60,000: more passes, nothing else.
        "pedestrians": replace(TUTORIAL, epochs=24, eval_every=2),
        FILES: TUTORIAL,
    },
    "fast": {"": FAST, "pedestrians": _FAST_REID, FILES: replace(_FAST_REID, forwards=50_000, lr=1e-3)},
    "best": {"": BEST, "pedestrians": _BEST_REID, FILES: replace(_BEST_REID, forwards=200_000)},
}
"""By preset and data set."""


FILES_SEEN: Final = 50_000
"""Images of a person's own that the tutorial sees by default, each as first of a pair: few are passed more often."""
MOST_EPOCHS: Final = 100
LEAST_STEPS: Final = 10
"""In so many every schedule can take its course."""


def preset_for(preset: str, dataset: str) -> Preset:
    """The preset's values on a data set; most data sets share them."""
    values = PRESET_VALUES[preset]
    return values.get(dataset, values[""])


def preset_for_files(preset: str, images: int) -> Preset:
    """The preset's values on so many training images of a person's own."""
    values, images = PRESET_VALUES[preset][FILES], max(images, 1)
    passes = FILES_SEEN / images if values.forwards is None else values.forwards / (2 * images)
    epochs = min(max(values.epochs, round(passes)), MOST_EPOCHS)
    return replace(values, epochs=epochs, eval_every=max(0.5, epochs // 12))


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
    loss = options.loss or (preset.loss if options.pairs != "random" else LOSSES[0])
    epochs, steps = _length(options, preset, images)
    config = RunConfig(
        data=dataset,
        preset=name,
        epochs=epochs,
        steps=steps,
        batch_size=options.batch_size or preset.batch_size,
        lr=options.lr or preset.lr,
        margin=first_margin(options, preset.margin),
        pairs=_pairs(options, preset),
        loss=loss,
        model=options.model or preset.model,
        embedding_dim=options.embedding_dim or (2 if identities <= FEW_IDENTITIES else 64),
        precision=options.precision or preset.precision,
        seed=options.seed or 0,
        eval_every=options.eval_every or preset.eval_every,
        eval_images=2000,
        image_root=options.image_root,
        image_size=image_size,
        camera_pattern=options.camera_pattern,
        holdout=options.holdout,
        margin_schedule=options.margin_schedule,
        exclude=options.exclude,
        **_learning(options, preset, loss),
    )
    _check(options, config)
    return config


def _length(options: RunOptions, preset: Preset, images: int) -> tuple[int, int | None]:
    """Epochs, and the steps that end the run before them; a preset's forwards count where neither was said."""
    if preset.forwards is None or options.epochs is not None:
        return options.epochs or preset.epochs, options.steps
    batch_size = options.batch_size or preset.batch_size
    forwards = min(preset.forwards, 2 * images * MOST_EPOCHS) if images else preset.forwards
    steps = options.steps or max(LEAST_STEPS, forwards // (2 * batch_size))
    return -(-steps * batch_size // images) if images else preset.epochs, steps


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
            "compile",
            "on_alarm",
        )
        if (value := getattr(options, name)) is not None
    }
    fits = in_batches and preset.miner in miners_of(loss)
    return {
        "images_per_identity": (options.images_per_identity or min(preset.images_per_identity, batch_size))
        if in_batches
        else None,
        "miner": options.miner or (fits and preset.miner) or miners_of(loss)[0],
        "normalize": loss in ON_SPHERE if options.normalize is None else options.normalize,
        "schedule": options.schedule or preset.schedule,
        "average_weights": preset.average_weights if options.average_weights is None else options.average_weights,
        **said,
    }


def _check(options: RunOptions, config: RunConfig) -> None:
    """Refuse settings that do not go together."""
    if options.margin is not None and config.why_no_margin:
        raise UsageError(f"--margin does nothing with --loss {config.loss}: {config.why_no_margin}; leave it out")
    check_margin_schedule(config)
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
