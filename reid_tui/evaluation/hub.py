"""One identity that is found for everything: the hub among the nearest wrong answers. Loads without torch.

Legend: N images, D embedding dimensions, Q queries, G images of the gallery.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from reid_tui.evaluation.labels import Labels

    IntArray = NDArray[np.int64]

MOST_QUERIES: Final = 1000
MOST_IMAGES: Final = 2000
"""That are looked through: of more, as many at equal steps."""
ROWS: Final = 500
"""Queries at a time."""


@dataclass(frozen=True, slots=True)
class Hub:
    """The identity that is the nearest answer to most images of others, all of which that makes wrong."""

    identity: int
    share: float
    """Of the images of others, how many have it nearest."""
    errors: float
    """Of all wrong nearest answers, how many are this identity."""


def hub_of(embeddings_ND: Tensor, labels: Labels) -> Hub | None:
    """Find the hub; None where no nearest answer is wrong, or the gallery holds fewer than three identities.

    What may answer is what the Market-1501 protocol leaves in a query's gallery. A nearest answer at the very same
    point is no answer: a collapsed network has no hub. Distances are rounded as matrix products are.

    Args:
        embeddings_ND: (N, D) finite, on any device.
        labels: of the same images.

    Source:
        Radovanovic, Nanopoulos, Ivanovic (2010), "Hubs in space": N_1 of a point, here added up over an identity.
    """
    queries_Q, gallery_G = _some(labels.queries, MOST_QUERIES), _some(labels.gallery, MOST_IMAGES)
    identities_N = labels.identities_N
    if len(np.unique(identities_N[gallery_G])) < 3:
        return None
    asked_Q, answers_Q = _nearest(embeddings_ND, labels, queries_Q, gallery_G)
    wrong = answers_Q[answers_Q != asked_Q]
    named, count = np.unique(wrong[wrong >= 0], return_counts=True)
    if not len(named):
        return None
    identity, most = int(named[count.argmax()]), int(count.max())
    return Hub(identity, most / int((asked_Q != identity).sum()), most / len(wrong))


def _some(places: IntArray, most: int) -> IntArray:
    step = -(-len(places) // most)
    return places[::step] if step > 1 else places


def _nearest(
    embeddings_ND: Tensor, labels: Labels, queries_Q: IntArray, gallery_G: IntArray
) -> tuple[IntArray, IntArray]:
    """The identities of the queries that have an answer, and of their nearest answers."""
    import torch

    identities_G = labels.identities_N[gallery_G]
    centred_ND = embeddings_ND.float() - embeddings_ND.float().mean(dim=0)  # products round less near the origin
    points_GD = centred_ND[torch.from_numpy(gallery_G)]
    squares_G = points_GD.square().sum(dim=1)
    asked, answers = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for at in range(0, len(queries_Q), ROWS):
        rows = queries_Q[at : at + ROWS]
        asking_QD = centred_ND[torch.from_numpy(rows)]
        farther_QG = squares_G - 2 * asking_QD @ points_GD.T
        farther_QG.masked_fill_(torch.from_numpy(_own(labels, rows, gallery_G)).to(farther_QG.device), torch.inf)
        least_Q, place_Q = farther_QG.min(dim=1)
        apart_Q = least_Q.isfinite() & (points_GD[place_Q] != asking_QD).any(dim=1)
        told, place = apart_Q.cpu().numpy(), place_Q.cpu().numpy()
        asked.append(labels.identities_N[rows][told])
        answers.append(identities_G[place[told]])
    return np.concatenate(asked), np.concatenate(answers)


def _own(labels: Labels, rows: IntArray, gallery_G: IntArray) -> NDArray[np.bool_]:
    """(Q, G) True for what a query is not to find: itself, and where cameras are known what its own took of it."""
    own_QG: NDArray[np.bool_] = rows[:, None] == gallery_G
    if labels.cameras_N is not None:
        same_QG = labels.identities_N[rows][:, None] == labels.identities_N[gallery_G]
        own_QG |= same_QG & (labels.cameras_N[rows][:, None] == labels.cameras_N[gallery_G])
    return own_QG
