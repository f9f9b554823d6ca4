"""Events and data that look like a run, the same on every machine: no random numbers."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import numpy as np

from reid_tui.config import RunOptions, margin_plan, resolve
from reid_tui.config.margins import Change
from reid_tui.data.dataset import ImageSet
from reid_tui.evaluation.operating import Fitted, OperatingPoint, Pairs
from reid_tui.training.events import (
    SCHEDULE,
    SCHEMA,
    DatasetFacts,
    DistancesReady,
    EmbeddingsReady,
    Evaluated,
    MarginChanged,
    Progress,
    RunStarted,
)
from reid_tui.view.fold import fold
from reid_tui.view.history import History, Mark
from reid_tui.view.run_state import RunState

NAMES = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
SGR = re.compile(r"\x1b\[[0-9;]*m")
STEPS, PER_EPOCH = 4690, 938


def stripped(lines: list[str]) -> list[str]:
    return [SGR.sub("", line) for line in lines]


def started(step: int = 0, **fields: Any) -> RunStarted:
    values: dict[str, Any] = {
        "step": step,
        "schema": SCHEMA,
        "run": "20261123-101500-calm",
        "device": "cpu",
        "precision": "fp32",
        "dataset": DatasetFacts("fashion-mnist", 60_000, 10_000, 10, NAMES, "found in /data", unseen=False),
        "model": "tutorial",
        "parameters": 315_010,
        "batch_size": 64,
        "pairs": "random",
        "margin": 1.0,
        "lr": 1e-3,
        "seed": 0,
        "epochs": 5,
        "total_steps": STEPS,
        "steps_per_epoch": PER_EPOCH,
        "pid": 1,
        "config": resolve(RunOptions(), "fashion-mnist", 10),
    }
    return RunStarted(**{**values, **fields})


def progress(step: int, loss: float = 0.1, **fields: Any) -> Progress:
    values: dict[str, Any] = {
        "step": step,
        "epoch": (step - 1) // PER_EPOCH + 1,
        "loss": loss,
        "margin": 1.0,
        "lr": 1e-3,
        "pairs_seen": 64 * step,
        "pairs_per_s": 6400.0,
        "wall_s": step * 0.01,
        "skipped": 0,
    }
    return Progress(**{**values, **fields})


def evaluated(step: int, **fields: Any) -> Evaluated:
    values: dict[str, Any] = {
        "step": step,
        "epoch": 1,
        "split": "test",
        "images": 2000,
        "rank1": 0.8,
        "map": 0.75,
        "auc": 0.97,
        "eer": 0.08,
        "threshold": 0.43,
        "d_prime": 2.5,
    }
    return Evaluated(**{**values, **fields})


def fitted(threshold: float = 0.612, *, apart: bool = True) -> Fitted:
    """As an event carries it: without its calibration."""
    equal = OperatingPoint(None, threshold, 0.0375, 0.041, (0.0183, 0.0638), (0.0229, 0.0621))
    hundredth = OperatingPoint(0.01, 0.503, 0.0109, 0.059, (0.004, 0.02), (0.036, 0.085))
    counts = Pairs(64, 6144, 159_200)
    return Fitted((equal, hundredth), counts, counts, (), apart)


def spread01(count: int, ratio: float) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Evenly spread values in 0..1 in an order that looks random."""
    values: np.ndarray[Any, np.dtype[np.float64]] = (np.arange(1, count + 1) * ratio) % 1.0
    return values


def history(count: int = STEPS) -> History:
    """A loss that falls noisily, ten evaluations, the margin turned twice and the learning rate once."""
    steps = np.arange(1, count + 1)
    trend = 0.058 + 0.06 * np.exp(-steps / 900) + 0.25 * np.exp(-steps / 40)
    losses = trend * (0.6 + 0.8 * spread01(count, 0.618_034))
    told = History().with_losses(steps.tolist(), losses.tolist())
    for mark in (Mark(1340, "margin", 1.0, 1.1), Mark(2600, "lr", 1e-3, 5e-4), Mark(3900, "margin", 1.1, 1.25)):
        if mark.step <= count:
            told = told.with_mark(mark)
    for step in range(469, count + 1, 469):
        done = 1 - np.exp(-step / 900)
        told = told.with_evaluation(
            evaluated(step, rank1=0.5 + 0.32 * done, map=0.4 + 0.39 * done, auc=0.85 + 0.123 * done)
        )
    return told


def scheduled(until: int = 2400) -> RunState:
    """A run with a schedule of its margin, in the midst of a straight line; at step 1500 a person has added 0.1."""
    schedule = "1 until 1, 1.5 until 2, to 2 until 4"
    config = dataclasses.replace(resolve(RunOptions(), "fashion-mnist", 10), margin_schedule=schedule)
    line = [change for change in margin_plan(schedule, 1.0, PER_EPOCH).changes if change.ramp and change.step <= until]
    turned: list[Change] = [Change(938, 1.5), Change(1500, 1.6)]
    turned += [Change(step, round(margin + 0.1, 9), (1.6, 2.1)) for step, margin, _ in line]
    state, old = fold(RunState(), [started(config=config)]), 1.0
    for at, new, ramp in turned:
        origin = "dashboard" if at == 1500 else SCHEDULE
        before = [progress(step, 0.1 + 1 / (9 + step), margin=old) for step in range(state.step + 1, at + 1)]
        changed = MarginChanged(step=at, old=old, new=new, ramp=ramp, origin=origin)
        state, old = fold(state, [*before, changed]), new
    return fold(state, [progress(step, 0.1 + 1 / (9 + step), margin=old) for step in range(state.step + 1, until + 1)])


def two_splits() -> History:
    """Ten evaluations: of seen identities scores that rise fast, of unseen ones lower, and a validation."""
    told = History()
    for step in range(0, STEPS + 1, 469):
        done = 1 - np.exp(-step / 700)
        told = told.with_evaluation(evaluated(step, split="validation", map=0.04 + 0.7 * done))
        told = told.with_evaluation(evaluated(step, split="seen", rank1=0.3 + 0.69 * done, map=0.2 + 0.75 * done))
        rank1, map_, auc = 0.05 + 0.8 * done, 0.03 + 0.67 * done, 0.52 + 0.46 * done
        told = told.with_evaluation(evaluated(step, split="unseen", rank1=rank1, map=map_, auc=auc))
    return told


def blobs(count: int = 2000, kinds: int = 10) -> tuple[Any, Any]:
    """(N, 2) points in round clouds on an ellipse, and their identities."""
    identities = np.arange(count) % kinds
    angle = 2 * np.pi * identities / kinds
    turn, far = 2 * np.pi * spread01(count, 0.618_034), np.sqrt(spread01(count, 0.754_878))
    centre = np.stack([2.2 * np.cos(angle), 1.6 * np.sin(angle)], axis=1)
    around = (0.35 * far)[:, None] * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    return (centre + around).astype(np.float32), identities


def distances(edges: int = 49) -> DistancesReady:
    """Same pairs near 0.3, different ones near 2."""
    at = np.linspace(0.0, 4.0, edges)
    middle = (at[1:] + at[:-1]) / 2
    same = 900 * np.exp(-(((middle - 0.3) / 0.22) ** 2))
    different = 900 * np.exp(-(((middle - 2.0) / 0.9) ** 2))
    return DistancesReady(
        step=1,
        split="test",
        edges=tuple(at.tolist()),
        same=tuple(int(n) for n in same),
        different=tuple(int(n) for n in different),
    )


def whole_snapshot(step: int = 0, *, count: int = 200, dim: int = 2, cameras: bool = False) -> EmbeddingsReady:
    """Of a full evaluation of images of ten identities; each image is as bright as its row says."""
    place = np.arange(count)
    identities = place % 10
    rows = place[::-1].copy()
    turn = np.stack([np.cos(place * k) for k in range(1, dim + 1)], axis=1) * 0.3
    embeddings = (turn + np.stack([(identities * (k + 3)) % 7 for k in range(dim)], axis=1)).astype(np.float32)
    pixels = np.broadcast_to(place.astype(np.uint8)[:, None, None, None], (count, 1, 8, 8)).copy()
    seen_by = place % 3 if cameras else None
    labels = np.zeros(count, np.int64)
    labels[rows] = identities
    images = ImageSet(pixels, labels, None if seen_by is None else seen_by[::-1].copy())
    return EmbeddingsReady(
        step=step, split="test", path="", full=True, points=embeddings[:, :2].copy(), identities=identities,
        embeddings=embeddings, rows=rows, cameras=seen_by, images=images,
    )  # fmt: skip
