"""Embeddings of every kind that makes distances hard to tell apart, with labels of every kind."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from reid_tui.evaluation.labels import DISTRACTOR, GALLERY, JUNK, QUERY, Labels

KINDS = {
    "clouds": lambda points: points,
    "ties": lambda points: points.round(),
    "collapsed": lambda points: torch.full_like(points, 0.3),
    "far from 0": lambda points: points * 1e-2 + 1e3,
    "lost squares": lambda points: points * 1e-21,
    "nothing but lost squares": lambda points: points * 1e-30,
    "large": lambda points: points * 1e14,
    "of length 1": lambda points: torch.nn.functional.normalize(points),
    "one far away": lambda points: torch.cat([points[:-1], points[-1:] * 1e6]),
}


def crowd(seed: int, images: int, dim: int, kind: str) -> tuple[Tensor, Labels]:
    """Junk, distractors, roles and, in every second one, cameras."""
    generator = np.random.default_rng(seed)
    identities = generator.integers(0, 15, images)
    points = torch.from_numpy(
        (generator.normal(size=(15, dim))[identities] + generator.normal(size=(images, dim))).astype(np.float32)
    )
    identities = np.where(identities == 13, JUNK, np.where(identities == 14, DISTRACTOR, identities))
    cameras = generator.integers(0, 3, images) if seed % 2 else None
    roles = generator.choice([QUERY, GALLERY, QUERY + GALLERY], images).astype(np.int8)
    return KINDS[kind](points), Labels(identities, cameras, roles)
