"""Pictures with their embeddings: what is looked through, compared, grouped and exported.

Legend: N pictures, D embedding dimensions, U different ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from reid_tui.data.folders.noticed import counted
from reid_tui.errors import DataError, advice
from reid_tui.text import printable
from reid_tui.using import kept_embeddings
from reid_tui.using.kept_embeddings import Kept
from reid_tui.using.listed import BOTH, Pictures, pictures

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from reid_tui.config import DataOptions
    from reid_tui.data.catalog import Report
    from reid_tui.data.dataset import IntArray
    from reid_tui.using.model import Model

    FloatArray = NDArray[np.float32]

CHUNK_BYTES: Final = 1 << 25
"""Of pixels that are handed to the network at once."""


@dataclass(frozen=True, slots=True, eq=False)
class Gallery:
    """Pictures as one network sees them."""

    pictures: Pictures
    embeddings_ND: FloatArray
    """(N, D); equal wherever pixels are."""
    notes: tuple[str, ...]
    """What a person is to know: printable lines."""

    def __len__(self) -> int:
        return len(self.pictures)


def open_gallery(
    model: Model, options: DataOptions, report: Report, *, label: str, role: int = BOTH, labelled: bool = True
) -> Gallery:
    """Find pictures and embed them, or take what an earlier start has kept.

    Args:
        model: the network.
        options: as for `listed.pictures`.
        report: told how far it is; what it raises ends it.
        label: how the command line calls what `options.data` says.
        role: `GALLERY`, `QUERY` or their sum: of a source that divides its pictures only those that have it.
        labelled: as for `listed.pictures`.

    Raises:
        ReidTuiError: nothing is there, none of it can be read, or an embedding is not finite.
    """
    found = pictures(options, model.card, report, label=label, labelled=labelled)
    chosen, notes = found, found.notes
    if found.roles_N.any() and not (wanted_N := found.roles_N & role > 0).all():
        if not wanted_N.any():
            raise DataError(f"{label}: {found.source} has no such pictures; name the folder that holds them")
        chosen = found.of(np.flatnonzero(wanted_N))
        notes = (*notes, f"{counted(len(found) - len(chosen), 'picture')} of another part of the split are left out")
    embeddings_ND, kept_note = _embedded(model, chosen, {row.tobytes() for row in found.digests_N}, report)
    return Gallery(chosen, embeddings_ND, (*notes, *kept_note))


def _embedded(model: Model, chosen: Pictures, listed: set[bytes], report: Report) -> tuple[FloatArray, tuple[str, ...]]:
    """(N, D), and what is to be said of where they are kept. Each content is computed once."""
    kept = kept_embeddings.nothing(model) if chosen.kept_in is None else kept_embeddings.load(chosen.kept_in, model)
    row_of = {digest.tobytes(): row for row, digest in enumerate(kept.digests_N)}
    lacking: list[int] = []
    rows_N = np.empty(len(chosen), dtype=np.int64)
    for place, digest in enumerate(map(bytes, chosen.digests_N)):
        if digest not in row_of:
            row_of[digest] = len(row_of)
            lacking.append(place)
        rows_N[place] = row_of[digest]
    if not lacking:
        return kept.embeddings_ND[rows_N], ()
    lacking_U = np.array(lacking, dtype=np.int64)
    digests = np.concatenate([kept.digests_N, chosen.digests_N[lacking_U]])
    parts: list[FloatArray] = [kept.embeddings_ND]
    note: tuple[str, ...] = ()
    try:
        for part in _computed(model, chosen, lacking_U, report):
            parts.append(part)  # noqa: PERF402  those before an error stay
    finally:  # an end in the middle need not begin again
        whole_ND = np.concatenate(parts)
        if len(parts) > 1:
            note = _saved(model, chosen, Kept(digests[: len(whole_ND)], whole_ND).of(listed))
    return whole_ND[rows_N], note


def _computed(model: Model, chosen: Pictures, places_U: IntArray, report: Report) -> Iterator[FloatArray]:
    """(U, D) in parts."""
    card = model.card
    chunk = max(1, CHUNK_BYTES // (card.channels * card.height * card.width))
    for first in range(0, len(places_U), chunk):
        part = places_U[first : first + chunk]

        def so_far(text: str, done: int = 0, total: int = 0, first: int = first) -> None:
            report(text, first + done, len(places_U) if total else 0)

        def named(place: int, part: IntArray = part) -> str:
            return printable(chosen.name(int(part[place])), 400)

        yield model.embed_pixels(chosen.pixels(part, card), so_far, named=named)


def _saved(model: Model, chosen: Pictures, whole: Kept) -> tuple[str, ...]:
    if chosen.kept_in is None:
        return ()
    try:
        kept_embeddings.save(chosen.kept_in, model, whole)
    except OSError as error:
        place = printable(chosen.kept_in.parent, 400)
        then = "until then all embeddings are computed again at each start"
        return (f"embeddings cannot be kept in {place}: {advice(error, then)}",)
    return ()
