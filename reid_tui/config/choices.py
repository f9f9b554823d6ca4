"""The words that settings may be."""

from __future__ import annotations

from typing import Final, Literal, get_args

PresetName = Literal["tutorial", "fast", "best"]
ModelName = Literal["tutorial", "bn", "small", "vgg5", "vgg8"]
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
Precision = Literal["fp32", "bf16", "bf16-mkldnn"]
PrecisionName = Literal["auto", "fp32", "bf16", "bf16-mkldnn"]
GlyphsName = Literal["auto", "braille", "block", "ascii"]
GroupingName = Literal["average", "dbscan"]
HangupName = Literal["continue", "stop"]
AlarmAction = Literal["notify", "pause"]
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
GROUPINGS: Final = get_args(GroupingName)
HANGUPS: Final = get_args(HangupName)
ALARM_ACTIONS: Final = get_args(AlarmAction)
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
WITHOUT_SAME: Final = frozenset(
    {
        ("contrastive", "all"),
        ("contrastive", "margin"),
        ("contrastive", "hard"),
        ("multi-similarity", "all"),
        ("arcface", "all"),
        ("proxy-anchor", "all"),
    }
)
"""Loss and miner to which batches without two images of one identity leave something; to the others nothing."""
ON_SPHERE: Final = frozenset({"multi-similarity", "circle", "ntxent", "supcon", "arcface", "proxy-anchor"})
"""Losses that see directions only: embeddings are brought to length 1 unless that is refused."""
LARGEST_ALL_PAIRS: Final = 2048
"""Batch size up to which all pairs among its images are formed: 8.4 million."""
FEW_IDENTITIES: Final = 20
"""Up to so many identities the embedding is 2-D by default, so that the map is the embedding itself."""
LARGEST_ON_SPHERE: Final = 2.0
"""Distance of two opposite points on the unit sphere."""
