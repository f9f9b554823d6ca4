"""What a trained network needs to be used, apart from its weights. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from reid_tui.evaluation.operating import Fitted

MOST_NAMES: Final = 10_000
"""Identity names that travel along; of more none do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """How pictures become embeddings, and what their distances mean.

    Pixels are uint8 and divided by 255; a picture is resampled to the size without keeping its aspect.
    """

    channels: int
    """1 (grey) or 3 (RGB)."""
    height: int
    width: int
    embedding_dim: int
    normalized: bool
    """Whether embeddings have length 1."""
    data: str
    """Short name of what it was trained on."""
    identities: int
    """How many it was trained on."""
    identity_names: tuple[str, ...] = ()
    """Of these, printable; empty where there are more than `MOST_NAMES`."""
    fitted: Fitted | None = None
    """None where nothing was evaluated yet, and in older checkpoints."""
