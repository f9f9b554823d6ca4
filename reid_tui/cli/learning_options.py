"""The options of what is learned, shared by commands that train: network, loss, pairs, optimiser."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from reid_tui import config
from reid_tui.cli.completion import complete_run
from reid_tui.cli.options import DATA, TRAINING, choice, named, number, option, words

NETWORK: Final = "Network and loss"
Loss = Annotated[config.LossName | None, choice("loss", "NAME", f"{', '.join(config.LOSSES)}.", NETWORK, config.LOSSES)]
Margin = Annotated[
    float | None,
    number("margin", "X", "Distance beyond which pairs of two identities cost nothing. [tutorial: 1]", NETWORK),
]

MarginSchedule = Annotated[
    str | None,
    option(
        "margin_schedule",
        "PARTS",
        "Of the margin, in epochs: '1.0 until 2, to 2.0 until 5, 1.5'; 'to' goes there in a straight line.",
        NETWORK,
        config.parse_margin_schedule,
    ),
]


def _model(text: str) -> str:
    if text != "?":
        return config.parse_model(text)
    from reid_tui.learning.trunks import trunk_names

    print("\n".join((*config.MODELS, *trunk_names())))
    raise typer.Exit


Model = Annotated[
    str | None,
    option(
        "model",
        "NAME",
        f"{', '.join(config.MODELS)}, or a classification network of torchvision; ? lists them.",
        NETWORK,
        _model,
        autocompletion=words(*config.MODELS, "resnet18", "resnet50", "mobilenet_v3_small", "efficientnet_b0"),
    ),
]
Miner = Annotated[
    config.MinerName | None,
    choice("miner", "NAME", f"Which pairs of a batch are taken: {', '.join(config.MINERS)}.", NETWORK, config.MINERS),
]
Normalize = Annotated[
    bool | None,
    typer.Option(
        "--normalize/--no-normalize",
        help="Embeddings of length 1. [for losses that see directions only]",
        rich_help_panel=NETWORK,
    ),
]
BNNeck = Annotated[
    bool | None,
    typer.Option("--bnneck", help="A batch normalisation behind the embedding layer.", rich_help_panel=NETWORK),
]
Pretrained = Annotated[
    bool | None,
    typer.Option("--pretrained", help="Begin with torchvision's weights.", rich_help_panel=NETWORK),
]
Init = Annotated[
    str | None,
    option(
        "init",
        "RUN",
        "Begin with another run's network, also where its identities are others.",
        NETWORK,
        lambda text: named(text, "--init"),
        autocompletion=complete_run,
    ),
]
ImagesPerIdentity = Annotated[
    int | None,
    number("images_per_identity", "K", "Images of each identity in a batch, with --pairs batch. [4]", TRAINING),
]
Augment = Annotated[
    str | None,
    option(
        "augment",
        "LIST",
        f"{', '.join(config.NAMED_AUGMENTS)}, or a list out of {','.join(config.AUGMENTS)}. [none]",
        TRAINING,
        config.parse_augment,
        autocompletion=words(*config.NAMED_AUGMENTS, *config.AUGMENTS),
    ),
]
Rotations = Annotated[
    bool | None,
    typer.Option(
        "--rotations",
        help="Each identity turned by a quarter, a half and three quarters is one of its own.",
        rich_help_panel=DATA,
    ),
]
Optimizer = Annotated[
    config.OptimizerName | None,
    choice("optimizer", "NAME", f"{', '.join(config.OPTIMIZERS)}. [adam]", TRAINING, config.OPTIMIZERS),
]
WeightDecay = Annotated[
    float | None, number("weight_decay", "X", "Of all weights but biases and normalisations. [0]", TRAINING)
]
Schedule = Annotated[
    config.ScheduleName | None,
    choice(
        "schedule",
        "NAME",
        f"Of the learning rate: {', '.join(config.SCHEDULES)}. [constant]",
        TRAINING,
        config.SCHEDULES,
    ),
]
AverageWeights = Annotated[
    float | None,
    number(
        "average_weights", "D", "Evaluate a moving average of the weights that keeps this share a step. [0]", TRAINING
    ),
]
EmbeddingDim = Annotated[
    int | None, number("embedding_dim", "N", "Dimensions. [2 up to 20 identities, else 64]", NETWORK)
]
