"""What goes together: networks, losses, miners, augmentations."""

from __future__ import annotations

from dataclasses import dataclass

from reid_tui.config.choices import AUGMENTS, LARGEST_ON_SPHERE, LOSSES, MINERS, MINERS_OF, MODELS, NAMED_AUGMENTS
from reid_tui.config.limits import parse_choice
from reid_tui.errors import UsageError


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
