"""Panel 6: the pairs that the newest evaluation found hardest, or those of a sample of training images."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np

from reid_tui.errors import DataError
from reid_tui.training.commands import Explain, LeaveOut, MarkSuspect, ShowTraining
from reid_tui.tui.bindings import bindings
from reid_tui.tui.widgets.panel import Panel
from reid_tui.view.grid import placeholder
from reid_tui.view.pair_picture import Kind, PairShown, Shown, pair_lines
from reid_tui.view.text import count
from reid_tui.view.worst_pairs import worst_pairs

if TYPE_CHECKING:
    from textual.binding import BindingType

    from reid_tui.data.dataset import UInt8Array
    from reid_tui.training.commands import Command
    from reid_tui.training.events import EmbeddingsReady
    from reid_tui.tui.aside import Aside
    from reid_tui.tui.frame import Frame
    from reid_tui.tui.pictures import Pictures
    from reid_tui.view.run_state import RunState
    from reid_tui.view.worst_pairs import Pairs

_KEYS = "←→ page · ↑↓ kind · x suspect · h parts · t "


class _Pair(NamedTuple):
    """The one that stands there."""

    train: bool
    first: int
    second: int
    """Places in the split."""
    distance: float


class PairsPanel(Panel):
    """Computes and opens nothing while it is hidden."""

    key = "pairs"
    BINDINGS: ClassVar[list[BindingType]] = bindings("pairs")

    def __init__(self, interval: float, aside: Aside, pictures: Pictures) -> None:
        """Build the panel.

        Args:
            interval: seconds between two drawings, but for what must be seen at once.
            aside: computes which pairs are the worst.
            pictures: has the images.
        """
        super().__init__(interval)
        self._aside = aside
        self._pictures = pictures
        self._kind: Kind = "same"
        self._page = {"same": 0, "different": 0}
        self._train = False
        self._pair: _Pair | None = None
        self._state: RunState | None = None

    def urgent(self, frame: Frame) -> tuple[Any, ...]:
        """What the person turned to, and what came of it."""
        state = frame.state
        marks = (state.suspects, state.left_out, state.explained)
        return (self._kind, *self._page.values(), self._train, self._aside.results, *marks)

    def routine(self, frame: Frame) -> tuple[Any, ...]:
        """New embeddings."""
        return (self._gallery(frame.state),)

    def turn(self, by: int) -> None:
        """To another pair."""
        self._page[self._kind] += by

    def other_kind(self) -> None:
        """Same or different."""
        self._kind = "different" if self._kind == "same" else "same"

    def asked(self, what: str) -> list[Command]:
        """What a key asks of the trainer, of the pair that stands there.

        Args:
            what: suspect | leave_out | explain | train.
        """
        pair, state = self._pair, self._state
        if what == "train":
            self._train = not self._train
            return [ShowTraining()] if self._train else []
        if pair is None or state is None:
            return []
        if what == "explain":
            return [Explain(pair.train, pair.first, pair.second)]
        gallery = self._gallery(state)
        split = gallery.split if gallery else ""
        rows = (pair.first, pair.second)
        marked = [row for row in rows if (split, row) in state.suspects]
        if what == "leave_out":
            meant = [row for row in rows if pair.train and (row in marked or row in state.left_out)]
            return [LeaveOut(row, row not in state.left_out) for row in meant]
        wanted = {(): [pair.first], (pair.first,): [pair.second]}.get(tuple(marked), [])
        return [
            MarkSuspect(pair.train, row, pair.distance, row in wanted)
            for row in rows
            if (row in wanted) != (row in marked)
        ]

    def draw(self, frame: Frame) -> None:
        """The pair, or why there is none."""
        self._pair, self._state = None, frame.state
        size = self.canvas.size
        gallery = self._gallery(frame.state)
        if gallery is None or gallery.embeddings is None or gallery.identities is None or gallery.rows is None:
            over = frame.deaf or frame.state.ended is not None
            asked = f"{'nobody' if over else 'the trainer is'} asked for training images"
            why = asked if self._train else "no evaluation yet"
            self.canvas.show(placeholder(why, *size, frame.style))
            return
        margin = frame.state.scored_margin
        work = partial(worst_pairs, gallery.embeddings, gallery.identities, gallery.cameras, margin)
        worst = self._aside.ask("pairs", (gallery, repr(margin)), work)
        if worst is None:
            self.canvas.show(placeholder("looking for the worst pairs", *size, frame.style))
            return
        pairs = worst.same if self._kind == "same" else worst.different
        if not len(pairs.first_P):
            self.canvas.show(placeholder(f"no two images form a pair: {self._kind}", *size, frame.style))
            return
        self.canvas.show(pair_lines(self._shown(frame.state, gallery, pairs), *size, frame.style))

    def value(self, frame: Frame) -> str:
        """What the pairs are of."""
        gallery = self._gallery(frame.state)
        if gallery is None or gallery.rows is None:
            return ""
        return f"{gallery.split} · {count(len(gallery.rows))} images · step {count(gallery.step)}"

    def _gallery(self, state: RunState) -> EmbeddingsReady | None:
        return state.train_gallery if self._train else state.gallery

    def _shown(self, state: RunState, gallery: EmbeddingsReady, pairs: Pairs) -> PairShown:
        assert gallery.rows is not None
        number = self._page[self._kind] = self._page[self._kind] % len(pairs.first_P)
        places = np.array([pairs.first_P[number], pairs.second_P[number]])
        first, second = gallery.rows[places].tolist()
        self._pair = _Pair(self._train, first, second, float(pairs.distance_P[number]))
        found = self._aside.ask("pictures", (gallery, first, second), partial(self._open, state, gallery, places))
        shown = [self._image(state, gallery, int(place), side) for side, place in enumerate(places)]
        return PairShown(
            kind=self._kind,
            number=number + 1,
            of=len(pairs.first_P),
            distance=self._pair.distance,
            share=float(pairs.share_P[number]),
            first=shown[0],
            second=shown[1],
            images=None if isinstance(found, str) else found,
            why_none=found if isinstance(found, str) else "",
            keys=_KEYS + ("test images · o leave marked ones out" if self._train else "training images"),
        )

    def _open(self, state: RunState, gallery: EmbeddingsReady, places: np.ndarray) -> UInt8Array | str:
        """Both images, or why there are none. In the thread aside."""
        assert state.started is not None
        try:
            return self._pictures.take(gallery, state.started, places)
        except DataError as error:
            return f"no pictures: {error}"

    def _image(self, state: RunState, gallery: EmbeddingsReady, place: int, side: int) -> Shown:
        assert gallery.rows is not None and gallery.identities is not None  # noqa: PT018
        row, label = int(gallery.rows[place]), int(gallery.identities[place])
        named = state.started is not None and (not self._train or state.started.dataset.same_names)
        names = state.identity_names if named else ()
        return Shown(
            name=names[label] if label < len(names) else f"identity {label}",
            row=row,
            camera=None if gallery.cameras is None else int(gallery.cameras[place]),
            suspect=(gallery.split, row) in state.suspects,
            left_out=self._train and row in state.left_out,
            parts=self._parts(state, gallery.split, side),
        )

    def _parts(self, state: RunState, split: str, side: int) -> np.ndarray | None:
        told, pair = state.explained, self._pair
        if told is None or pair is None or (told.split, told.first, told.second) != (split, pair.first, pair.second):
            return None
        parts = (told.first_parts, told.second_parts)[side]
        if told.columns < 1 or not parts or len(parts) % told.columns:
            return None
        return np.array(parts, dtype=np.int64).reshape(-1, told.columns)
