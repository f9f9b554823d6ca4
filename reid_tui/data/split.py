"""Dividing a source into what is trained on, what it is tested on, and who chooses the best checkpoint.

| the source has | without `--holdout` | with it |
|---|---|---|
| no split | a fifth of the identities is the test | as many identities as asked for are the test |
| a split, other identities in the test | as it is | so many of the training identities choose the checkpoint |
| a split, the same identities in the test | as it is | test images of so many identities are `unseen`, others `seen` |

Wherever identities are held out for the test, a tenth of the rest is held out too and chooses the best checkpoint, so
that what is reported at the end chose nothing.

Legend: N images of the pool.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from reid_tui.data.dataset import Dataset, ImageSet
from reid_tui.data.findings import SHOWN, Finding, sentence, some
from reid_tui.data.pool import TRAIN, UNDIVIDED, VALIDATION
from reid_tui.errors import DataError
from reid_tui.evaluation.labels import GALLERY, QUERY
from reid_tui.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from reid_tui.data.dataset import IntArray
    from reid_tui.data.pool import Pool

DEFAULT_HOLDOUT: Final = 0.2
VALIDATION_SHARE: Final = 0.1
FEWEST: Final = 2
"""Identities on either side: with one there is nobody to tell apart."""
WORTH_DIVIDING: Final = 4
"""Identities that must be left for training before others are kept out only to choose the checkpoint."""
_BOTH: Final = QUERY + GALLERY


@dataclass(frozen=True, slots=True)
class _Parts:
    """Places in the pool, ascending."""

    train: IntArray
    test: IntArray
    unseen: bool
    seen: IntArray | None = None
    validation: IntArray | None = None
    held_out: frozenset[int] = frozenset()
    findings: tuple[Finding, ...] = ()


def divided(pool: Pool, holdout: str | None) -> Dataset:
    """Divide all images of a source.

    Identities are drawn by a hash of their names, so that the same ones are held out whatever the run's seed is, and
    one more person in the folder moves nobody else to the other side. Those with one image are not drawn: nobody can
    be found again by it.

    Args:
        pool: of one source.
        holdout: as `config.parse_holdout` gives it; None for the source's own split, or a fifth.

    Raises:
        DataError: fewer than two identities would be on one side, or nothing to test with.
    """
    split = bool((pool.roles != UNDIVIDED).any())
    parts = _by_roles(pool, holdout) if split else _by_identity(pool, holdout)
    for kind, places in (("training", parts.train), ("the test", parts.test)):
        if len(np.unique(pool.identities[places])) < FEWEST:
            raise DataError(
                f"{pool.source}: fewer than 2 identities are left for {kind}; take in more, or hold out another number"
            )
    return _dataset(pool, parts)


def told(dataset: Dataset) -> list[str]:
    """How the data was divided, and each finding that is not grave, as lines for the screen."""
    lines = []
    if dataset.held_out:
        kept = f"{len(dataset.held_out):,} identities are kept out of training: {some(dataset.held_out)}"
        lines.append(kept)
    if dataset.validating:
        lines.append(f"{len(dataset.validating):,} more choose the best checkpoint: {some(dataset.validating)}")
    return lines + [sentence(finding) for finding in dataset.findings if not finding.grave]


def _by_identity(pool: Pool, holdout: str | None) -> _Parts:
    """A source without a split of its own."""
    present = np.unique(pool.identities[pool.identities >= 0])
    if len(present) < FEWEST:
        raise DataError(f"{pool.source}: {_identities(len(present))} only; at least 2 are needed to tell them apart")
    if holdout is None and len(present) < 2 * FEWEST:
        return _by_image(pool, present)
    held = _drawn(pool, present, _wanted(pool, holdout, len(present)))
    rest = np.setdiff1d(present, held)
    train, validation, findings = _second_set(pool, _at(pool, rest), rest)
    return _Parts(train, _at(pool, held), True, None, validation, frozenset(held.tolist()), findings)


def _by_image(pool: Pool, present: IntArray) -> _Parts:
    """Too few identities to keep any out: a fifth of each one's images is the test."""
    chosen = []
    for label in present:
        own = np.flatnonzero(pool.identities == label)
        if len(own) >= 2 * FEWEST:
            order = sorted(own.tolist(), key=lambda place: _hash(pool.paths[place]))
            chosen.append(np.array(order[: max(FEWEST, round(DEFAULT_HOLDOUT * len(own)))]))
    if len(chosen) < FEWEST:
        raise DataError(
            f"{pool.source}: {_identities(len(present))} with too few images to test with; "
            f"take at least {2 * FEWEST} images of each, or more identities"
        )
    test = np.sort(np.concatenate(chosen))
    train = np.setdiff1d(np.arange(len(pool.identities)), test)
    told = Finding(
        "few_identities", "identities are too few to keep any out: a fifth of their images is tested on", len(present)
    )
    return _Parts(train, test, unseen=False, findings=(told,))


def _by_roles(pool: Pool, holdout: str | None) -> _Parts:
    """A source with a split of its own."""
    train, test = np.flatnonzero(pool.roles == TRAIN), np.flatnonzero((pool.roles & _BOTH) > 0)
    for kind, places in (("training", train), ("test", test)):
        if not len(places):
            raise DataError(f"{pool.source}: it has a split, but no {kind} images; add some, or leave the split out")
    own = np.flatnonzero(pool.roles == VALIDATION)
    validation = own if len(own) else None
    trained, tested = _present(pool, train), _present(pool, test)
    both = np.intersect1d(trained, tested)
    findings: tuple[Finding, ...] = _left_out(pool)
    held = np.zeros(0, dtype=np.int64)
    if holdout is not None:
        held = _drawn(pool, both if len(both) else trained, _wanted(pool, holdout, len(trained)))
        rest = np.setdiff1d(trained, held)
        if len(both):
            kept = train[np.isin(pool.identities[train], rest)]
            if validation is None:
                train, validation, more = _second_set(pool, kept, rest)
                findings += more
                chosen = np.setdiff1d(rest, _present(pool, train))
                test = test[~np.isin(pool.identities[test], chosen)]
            else:
                train = kept
        else:
            validation = train[np.isin(pool.identities[train], held)]
            train = train[np.isin(pool.identities[train], rest)]
    known = np.isin(pool.identities[test], _present(pool, train))
    nobody = pool.identities[test] < 0
    unseen, seen = test[~known], test[known | nobody]
    held_out = frozenset(held.tolist())
    if len(_present(pool, unseen)) < FEWEST or len(_present(pool, seen)) < FEWEST:
        wholly = not len(_present(pool, seen))
        return _Parts(train, test, wholly, None, validation, held_out, findings)
    return _Parts(train, unseen, True, seen, validation, held_out, findings)


def _second_set(pool: Pool, train: IntArray, rest: IntArray) -> tuple[IntArray, IntArray | None, tuple[Finding, ...]]:
    """Training images without those of a tenth of the identities, these, and what is to be told of it."""
    count = max(FEWEST, round(VALIDATION_SHARE * len(rest)))
    multiple = _multiple(pool, rest)
    if len(rest) - count < WORTH_DIVIDING or len(multiple) < count:
        text = "training identities are too few to keep some out: the test's own images choose the best checkpoint"
        return train, None, (Finding("no_validation", text, len(rest)),)
    mine = np.isin(pool.identities[train], _drawn(pool, rest, count))
    return train[~mine], train[mine], ()


def _wanted(pool: Pool, holdout: str | None, present: int) -> int:
    """How many of the identities to hold out."""
    if holdout is None:
        return max(FEWEST, round(DEFAULT_HOLDOUT * present))
    count = int(holdout) if holdout.isdigit() else round(float(holdout) * present)
    if count < FEWEST or present - count < FEWEST:
        raise DataError(
            f"--holdout {holdout} keeps {count} of {_identities(present)} out of training ({pool.source}); "
            "at least 2 must be held out and 2 be left"
        )
    return count


def _multiple(pool: Pool, candidates: IntArray) -> IntArray:
    """Those with at least two images."""
    counts = np.bincount(pool.identities[pool.identities >= 0], minlength=len(pool.names))
    return candidates[counts[candidates] >= FEWEST]


def _drawn(pool: Pool, candidates: IntArray, count: int) -> IntArray:
    multiple = _multiple(pool, candidates)
    if len(multiple) < count:
        raise DataError(
            f"{pool.source}: {count} identities cannot be held out, only {len(multiple)} have two images or more; "
            "say a smaller --holdout"
        )
    return np.array(sorted(sorted(multiple, key=lambda label: _hash(pool.names[label]))[:count]), dtype=np.int64)


def _hash(name: str) -> bytes:
    return hashlib.blake2b(name.encode("utf-8", "surrogateescape"), digest_size=16, person=b"holdout").digest()


def _present(pool: Pool, places: IntArray) -> IntArray:
    labels = np.unique(pool.identities[places])
    return labels[labels >= 0]


def _at(pool: Pool, labels: IntArray) -> IntArray:
    return np.flatnonzero(np.isin(pool.identities, labels))


def _identities(count: int) -> str:
    return f"{count} identit{'y' if count == 1 else 'ies'}"


def _left_out(pool: Pool) -> tuple[Finding, ...]:
    """Images that a source with a split says nothing about."""
    places = np.flatnonzero(pool.roles == UNDIVIDED)
    if not len(places):
        return ()
    text = "pictures lie in no part of the split and are left out"
    return (Finding("outside_split", text, len(places), tuple(pool.paths[place] for place in places[:SHOWN])),)


def _dataset(pool: Pool, parts: _Parts) -> Dataset:
    tested = [places for places in (parts.test, parts.seen, parts.validation) if places is not None]
    train_labels = _present(pool, parts.train)
    main_labels = _present(pool, parts.test)
    test_labels = np.concatenate([main_labels, np.setdiff1d(_present(pool, np.concatenate(tested)), main_labels)])
    cameras = pool.cameras if pool.cameras is not None and len(np.unique(pool.cameras)) > 1 else None
    roles = pool.roles & _BOTH
    has_roles = bool((roles[np.concatenate(tested[: 1 + (parts.seen is not None)])] % _BOTH).any())

    def images(places: IntArray, labels: IntArray, *, with_roles: bool = False) -> ImageSet:
        own = pool.identities[places]
        number = np.zeros(len(pool.names), dtype=np.int64)
        number[labels] = np.arange(len(labels))
        return ImageSet(
            pool.images,
            np.where(own >= 0, number[own], own),
            None if cameras is None else cameras[places],
            pool.rows[places],
            roles[places].astype(np.int8) if with_roles else None,
            None if pool.root is None else [pool.paths[place] for place in places],
        )

    train = images(parts.train, train_labels)
    test = images(parts.test, test_labels, with_roles=has_roles)
    seen = None if parts.seen is None else images(parts.seen, test_labels, with_roles=has_roles)
    validation = None if parts.validation is None else images(parts.validation, test_labels)
    validating = () if parts.validation is None else _names(pool, _present(pool, parts.validation))
    return Dataset(
        name=pool.name,
        train=train,
        test=test,
        identity_names=tuple(map(printable, _names(pool, test_labels))),
        train_identity_names=tuple(map(printable, _names(pool, train_labels))),
        source=pool.source,
        unseen=parts.unseen,
        fingerprint=_fingerprint(pool, parts, (train, test, seen, validation)),
        spec=pool.spec,
        image_size=pool.image_size,
        seen=seen,
        validation=validation,
        camera_names=() if cameras is None else tuple(map(printable, pool.camera_names)),
        held_out=_names(pool, sorted(parts.held_out)),
        validating=validating,
        findings=(*pool.findings, *parts.findings),
        root=pool.root or "",
    )


def _names(pool: Pool, labels: Iterable[int]) -> tuple[str, ...]:
    return tuple(pool.names[label] for label in labels)


def _fingerprint(pool: Pool, parts: _Parts, splits: Iterable[ImageSet | None]) -> str:
    """SHA-256 (hex) over the pixels' digests and all labels: no pixel is read for it."""
    digest = hashlib.sha256(f"{pool.images.shape[1:]}".encode())
    for places, split in zip((parts.train, parts.test, parts.seen, parts.validation), splits, strict=True):
        digest.update(b"split;")
        if places is None or split is None:
            continue
        arrays: tuple[NDArray[np.generic] | None, ...] = (
            pool.digests[places],
            split.identities,
            split.cameras,
            split.roles,
        )
        for array in arrays:
            digest.update(b"none;" if array is None else f"{array.dtype.str}{array.shape};".encode())
            if array is not None:
                digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
