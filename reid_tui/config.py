"""Settings of a run: what was asked for, what a preset fills in, and the limits of each. No I/O, no torch."""

from __future__ import annotations

import math
import re
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Final, Literal, get_args

from reid_tui.errors import UsageError

PresetName = Literal["tutorial", "fast"]
ModelName = Literal["tutorial", "bn", "small"]
LossName = Literal[
    "contrastive",
    "triplet",
    "soft-triplet",
    "multi-similarity",
    "circle",
    "ntxent",
    "supcon",
    "arcface",
    "proxy-anchor",
    "margin",
]
MinerName = Literal["all", "margin", "hard", "semihard", "distance"]
Pairing = Literal["random", "batch"]
OptimizerName = Literal["adam", "adamw", "sgd"]
ScheduleName = Literal["constant", "cosine", "onecycle", "warmup-step"]
AugmentKind = Literal["flip", "crop", "affine", "jitter", "erase"]
Precision = Literal["fp32", "bf16"]
PrecisionName = Literal["auto", "fp32", "bf16"]
GlyphsName = Literal["auto", "braille", "block", "ascii"]
HangupName = Literal["continue", "stop"]
ColorName = Literal["auto", "truecolor", "256", "16", "none"]
JsonScalar = str | int | float | bool | None

PRESETS: Final = get_args(PresetName)
MODELS: Final = get_args(ModelName)
LOSSES: Final = get_args(LossName)
MINERS: Final = get_args(MinerName)
PAIRINGS: Final = get_args(Pairing)
OPTIMIZERS: Final = get_args(OptimizerName)
SCHEDULES: Final = get_args(ScheduleName)
AUGMENTS: Final[tuple[str, ...]] = get_args(AugmentKind)
"""In the order in which they are applied."""
NAMED_AUGMENTS: Final[dict[str, tuple[str, ...]]] = {
    "none": (),
    "light": ("crop", "affine"),
    "reid": ("flip", "crop", "jitter", "erase"),
}
PRECISIONS: Final = get_args(PrecisionName)
GLYPHS: Final = get_args(GlyphsName)
HANGUPS: Final = get_args(HangupName)
COLORS: Final = get_args(ColorName)
THEMES: Final = (
    "auto",
    "dark",
    "light",
    "ansi-dark",
    "ansi-light",
    "atom-one-dark",
    "atom-one-light",
    "catppuccin-frappe",
    "catppuccin-latte",
    "catppuccin-macchiato",
    "catppuccin-mocha",
    "dracula",
    "flexoki",
    "gruvbox",
    "monokai",
    "nord",
    "rose-pine",
    "rose-pine-dawn",
    "rose-pine-moon",
    "solarized-dark",
    "solarized-light",
    "textual-dark",
    "textual-light",
    "tokyo-night",
)
"""Our own two, and Textual's, which is not imported for their names."""
MINERS_OF: Final[dict[str, tuple[str, ...]]] = {
    "contrastive": MINERS,
    "triplet": ("hard", "semihard", "distance"),
    "soft-triplet": ("hard",),
    "margin": ("distance", "hard", "semihard"),
}
"""Which miners a loss can be combined with, the default first. Losses that are not here take all pairs."""
WITHOUT_MARGIN: Final[dict[str, str]] = {
    "soft-triplet": "soft-triplet has no edge, so no margin",
    "multi-similarity": "multi-similarity has a base in similarity, no margin in distance",
    "circle": "circle has a margin in similarity, none in distance",
    "ntxent": "ntxent has a temperature, no margin in distance",
    "supcon": "supcon has a temperature, no margin in distance",
    "arcface": "arcface has a margin between angles, none in distance",
    "proxy-anchor": "proxy-anchor has a margin in similarity to its proxies, none in distance",
}
"""Why the margin does nothing to a loss; to those that are not here it does."""
LARGEST_ALL_PAIRS: Final = 2048
"""Batch size up to which all pairs among its images are formed: 8.4 million."""
FEW_IDENTITIES: Final = 20
"""Up to so many identities the embedding is 2-D by default, so that the map is the embedding itself."""
LARGEST_ON_SPHERE: Final = 2.0
"""Distance of two opposite points on the unit sphere."""


@dataclass(frozen=True, slots=True)
class Limit:
    """The closed range that an option's value must lie in; `above` excludes the lower end."""

    low: float
    high: float
    whole: bool = False
    above: bool = False

    def __str__(self) -> str:
        kind = "a whole number" if self.whole else "a number"
        first = "above" if self.above else "from"
        high = str(self.high) if isinstance(self.high, int) else f"{self.high:g}"
        return f"{kind} {first} {self.low:g} {'up ' if self.above else ''}to {high}"


LIMITS: Final[dict[str, Limit]] = {
    "epochs": Limit(1, 100_000, whole=True),
    "steps": Limit(1, 1_000_000_000, whole=True),
    "at": Limit(0, 1_000_000_000, whole=True),
    "batch_size": Limit(2, 16_384, whole=True),
    "lr": Limit(0, 10, above=True),
    "margin": Limit(0, 1000, above=True),
    "embedding_dim": Limit(2, 1024, whole=True),
    "seed": Limit(0, 2**32 - 1, whole=True),
    "eval_every": Limit(0, 100_000, above=True),
    "weight_decay": Limit(0, 1),
    "average_weights": Limit(0, 0.99999),
    "fps": Limit(1, 60, whole=True),
    "image_side": Limit(8, 1024, whole=True),
    "pairs_shown": Limit(0, 64, whole=True),
    "rounds": Limit(1, 1000, whole=True),
}


def flag(name: str) -> str:
    """The command line's spelling of a setting."""
    return "--" + name.replace("_", "-")


def parse_number(name: str, text: str, label: str | None = None) -> float:
    """Read a number typed by a person and hold it against the limit of setting `name`.

    Raises:
        UsageError: not a number, not finite, not whole where it must be, or out of range.
    """
    limit = LIMITS[name]
    value: float
    try:
        value = int(text) if limit.whole else float(text)
    except (ValueError, OverflowError):
        value = math.nan
    inside = (limit.low < value if limit.above else limit.low <= value) and value <= limit.high
    if not inside:
        raise UsageError(f"{label or flag(name)} must be {limit}, not {text!r}")
    return value


def parse_whole(name: str, text: str, label: str | None = None) -> int:
    """As `parse_number`, for settings that are whole.

    Raises:
        UsageError: as `parse_number`.
    """
    return int(parse_number(name, text, label))


def parse_choice(name: str, text: str, choices: tuple[str, ...]) -> str:
    """Accept one of `choices`.

    Raises:
        UsageError: anything else, naming the choices.
    """
    if text not in choices:
        raise UsageError(f"{flag(name)} must be one of {', '.join(choices)}, not {text!r}")
    return text


def miners_of(loss: str) -> tuple[str, ...]:
    """The miners that a loss can be combined with, its default first."""
    return MINERS_OF.get(loss, ("all",))


def check_objective(loss: str, miner: str | None, pairs: str) -> None:
    """Refuse a loss, a miner and a way of pairing that do not go together. None stands for the loss's own miner.

    Raises:
        UsageError: they do not, or there is no such loss or miner.
    """
    parse_choice("loss", loss, LOSSES)
    miners = miners_of(loss)
    if miner is not None and miner not in miners:
        parse_choice("miner", miner, MINERS)
        raise UsageError(f"--miner must be {' or '.join(miners)} with --loss {loss}, not {miner!r}")
    if pairs == "random" and loss != LOSSES[0]:
        raise UsageError(f"--loss {loss} takes more than pairs that were drawn; give --pairs batch too")
    if pairs == "random" and miner not in (None, miners[0]):
        raise UsageError(f"--miner {miner} chooses among all pairs of a batch; give --pairs batch too")


def parse_name(text: str, label: str = "--name") -> str:
    """Accept a run name that is safe as a folder's name.

    Raises:
        UsageError: empty, too long, or with characters outside letters, digits, dot, dash, underscore.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", text):
        raise UsageError(
            f"{label} must be 1 to 64 letters, digits, '.', '_' or '-', not starting with '.' or '-', not {text!r}"
        )
    return text


def parse_image_size(text: str, label: str = "--image-size") -> str:
    """Accept `HxW`, or one number for a square; the result is `HxW`.

    Raises:
        UsageError: anything else, or a side out of range.
    """
    found = re.fullmatch(r"(\d{1,5})(?:[xX](\d{1,5}))?", text)
    sides = [int(found[1]), int(found[2] or found[1])] if found else []
    limit = LIMITS["image_side"]
    if not sides or not all(limit.low <= side <= limit.high for side in sides):
        raise UsageError(
            f"{label} must be HEIGHTxWIDTH such as 128x64, each {limit.low:g} to {limit.high:g} pixels, not {text!r}"
        )
    return f"{sides[0]}x{sides[1]}"


def parse_holdout(text: str, label: str = "--holdout") -> str:
    """Accept a whole number of identities, or a share of them as a fraction or in percent.

    Returns:
        Digits for a number, otherwise a fraction with a point.

    Raises:
        UsageError: anything else.
    """
    share = re.fullmatch(r"(0?\.\d{1,6})|(\d{1,2}(?:\.\d{1,4})?) ?%", text)
    if text.isascii() and text.isdigit() and 0 < int(text[:9]) == int(text):
        return str(int(text))
    if share and (value := float(share[1] or 0) or float(share[2] or 0) / 100) > 0:
        return f"{value:.6f}".rstrip("0")
    raise UsageError(f"{label} must be a number of identities such as 20, or a share such as 0.2, not {text!r}")


def parse_camera_pattern(text: str, label: str = "--camera-pattern") -> str:
    """Accept a regular expression with a group, named `camera` or the first one.

    Raises:
        UsageError: no expression, or none with a group.
    """
    try:
        groups = re.compile(text).groups
    except (re.error, OverflowError, RecursionError) as error:
        raise UsageError(f"{label} {text!r} is no regular expression: {error}") from error
    if not groups:
        raise UsageError(f"{label} {text!r} has no group; put round brackets about what names the camera: '_c(\\d+)'")
    return text


def parse_augment(text: str, label: str = "--augment") -> str:
    """Accept one of `NAMED_AUGMENTS`, or kinds of augmentation with commas between.

    Returns:
        The one spelling of what is done: a name where there is one, otherwise the kinds in the order of `AUGMENTS`.

    Raises:
        UsageError: anything else, naming the choices.
    """
    if text in NAMED_AUGMENTS:
        return text
    parts = [part.strip() for part in text.split(",")]
    kinds = tuple(kind for kind in AUGMENTS if kind in parts)
    if len(kinds) != len(parts):
        raise UsageError(
            f"{label} must be one of {', '.join(NAMED_AUGMENTS)}, or a list out of {','.join(AUGMENTS)}, "
            f"each at most once, not {text!r}"
        )
    return next((name for name, named in NAMED_AUGMENTS.items() if named == kinds), ",".join(kinds))


def augment_kinds(augment: str) -> tuple[str, ...]:
    """The kinds of augmentation that a text of `parse_augment` stands for."""
    return NAMED_AUGMENTS[augment] if augment in NAMED_AUGMENTS else tuple(augment.split(","))


def parse_device(text: str) -> str:
    """Accept the name of a device; whether it exists is found out later, by torch.

    Raises:
        UsageError: not auto, cpu, cuda, cuda:N or mps.
    """
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d{1,3})?", text):
        raise UsageError(f"--device must be auto, cpu, cuda, cuda:N or mps, not {text!r}")
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class DataOptions:
    """Which data, and how it is read and divided. None means: not said, the source decides."""

    data: str = "auto"
    data_dir: str | None = None
    image_root: str | None = None
    """Folder that the relative paths of a table start from."""
    image_size: str | None = None
    """HxW in pixels, as `parse_image_size` gives it."""
    camera_pattern: str | None = None
    """Regular expression whose first group finds the camera in a file's name."""
    holdout: str | None = None
    """Identities kept out of training: how many, or which share, as `parse_holdout` gives it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions(DataOptions):
    """What the person asked for. None means: not said, the preset (or the resumed run) decides."""

    preset: str | None = None
    epochs: int | None = None
    steps: int | None = None
    batch_size: int | None = None
    lr: float | None = None
    margin: float | None = None
    pairs: str | None = None
    loss: str | None = None
    model: str | None = None
    embedding_dim: int | None = None
    device: str = "auto"
    precision: str | None = None
    seed: int | None = None
    runs_dir: str = "runs"
    name: str | None = None
    resume: str | None = None
    resume_or_start: str | None = None
    at: int | None = None
    """Step of the checkpoint to resume from; None for the newest good one."""
    eval_every: float | None = None

    def given(self) -> dict[str, Any]:
        """The options that were said, by name."""
        return {f.name: value for f in fields(self) if (value := getattr(self, f.name)) != f.default}


def check_one_beginning(options: RunOptions, replay: str | None = None) -> None:
    """Refuse options that say in two ways which run it is to be.

    Raises:
        UsageError: they do.
    """
    ways = {"--replay": replay, "--resume": options.resume, "--resume-or-start": options.resume_or_start}
    given = [name for name, value in ways.items() if value is not None]
    if options.resume_or_start is not None and options.name is not None:
        given.append("--name")
    if options.at is not None and options.resume is None:
        raise UsageError("--at chooses a checkpoint of the run that --resume names; give --resume RUN too")
    if len(given) > 1:
        raise UsageError(f"{given[0]} and {given[1]} each say which run it is; give one of the two")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunConfig:
    """Everything that decides the course of a run, with no value left open. Stored in config.json and checkpoints."""

    data: str
    preset: str
    epochs: int
    steps: int | None
    """Stop after so many optimiser steps, whatever the epochs say."""
    batch_size: int
    """Pairs a step."""
    lr: float
    margin: float
    pairs: str
    loss: str
    model: str
    embedding_dim: int
    precision: str
    seed: int
    eval_every: float
    """In epochs."""
    eval_images: int
    """Test images scored during the run, balanced over the identities. At the end all are."""
    image_root: str | None = None
    image_size: str | None = None
    """HxW in pixels to which pictures were brought; None where the data has one size."""
    camera_pattern: str | None = None
    holdout: str | None = None

    def data_options(self, data_dir: str | None) -> DataOptions:
        """What opens the same data again, whose files may lie elsewhere."""
        return DataOptions(
            data=self.data,
            data_dir=data_dir,
            image_root=self.image_root,
            image_size=self.image_size,
            camera_pattern=self.camera_pattern,
            holdout=self.holdout,
        )

    def to_json(self) -> dict[str, JsonScalar]:
        """As a flat JSON object."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> RunConfig:
        """Read what `to_json` wrote; unknown keys are left out.

        Raises:
            TypeError: a key is missing.
        """
        names = {f.name for f in fields(cls)}
        return cls(**{key: item for key, item in value.items() if key in names})


@dataclass(frozen=True, slots=True)
class NetworkOptions:
    """Which network is trained, and what it gives out."""

    model: str
    """One of `MODELS`, or a classification network of torchvision by its name there."""
    embedding_dim: int
    normalize: bool = False
    """Embeddings are brought to length 1."""
    bnneck: bool = False
    """Embeddings pass a batch normalisation without shift."""
    pretrained: bool = False
    """Starts from torchvision's weights, all but the embedding layer."""


def check_network(options: NetworkOptions, margin: float | None) -> None:
    """Refuse what no network can be, or what no embedding of it could satisfy.

    Args:
        options: the network.
        margin: in units of distance; None for a loss without one.

    Raises:
        UsageError: weights of torchvision for a network of ours, or a margin that no two points on the sphere reach.
    """
    if options.pretrained and options.model in MODELS:
        raise UsageError(
            f"--pretrained takes the weights of a torchvision network such as resnet18; there are none for "
            f"--model {options.model}"
        )
    if options.normalize and margin is not None and margin > LARGEST_ON_SPHERE:
        raise UsageError(
            f"--margin must be at most {LARGEST_ON_SPHERE:g} with --normalize, not {margin:g}: "
            "embeddings of length 1 are never farther apart"
        )


def tested_feature(options: NetworkOptions) -> str:
    """What distances and scores are taken from; the same in training and in every test."""
    neck = ", after the BNNeck" if options.bnneck else ""
    return f"{options.embedding_dim}-D embedding{neck}{', brought to length 1' if options.normalize else ''}"


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
    config = RunConfig(
        data=dataset,
        preset=name,
        epochs=options.epochs or preset.epochs,
        steps=options.steps,
        batch_size=options.batch_size or preset.batch_size,
        lr=options.lr or preset.lr,
        margin=options.margin or preset.margin,
        pairs=options.pairs or preset.pairs,
        loss=options.loss or LOSSES[0],
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
    )
    if config.pairs == "batch" and config.batch_size > LARGEST_ALL_PAIRS:
        raise UsageError(
            f"--batch-size must be at most {LARGEST_ALL_PAIRS} with --pairs batch, not {config.batch_size}: "
            "the pairs among a batch's images grow with its square"
        )
    return config


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreenOptions:
    """How the dashboard is drawn."""

    fps: int = 10
    """Repaints a second, what `auto` stands for already settled."""
    glyphs: str = "auto"
    color: str = "auto"
    theme: str = "auto"
    """One of `THEMES`."""
    mouse: bool = True
    exit_when_done: bool = False
    on_hangup: str = "continue"
