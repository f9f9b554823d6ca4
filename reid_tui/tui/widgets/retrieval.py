"""Panel 7: what is found for a query, the worst one first."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple

import numpy as np

from reid_tui.errors import DataError
from reid_tui.evaluation.labels import Labels
from reid_tui.evaluation.queries import FirstRanks, Ranked, first_ranks, ranked
from reid_tui.training.commands import EmbedPicture
from reid_tui.tui.bindings import bindings
from reid_tui.tui.widgets.panel import Panel
from reid_tui.view.grid import placeholder
from reid_tui.view.retrieval_chart import Answer, Retrieval, rank_told, retrieval_chart
from reid_tui.view.text import count, name_of

if TYPE_CHECKING:
    from textual.binding import BindingType

    from reid_tui.data.dataset import UInt8Array
    from reid_tui.training.commands import Command
    from reid_tui.training.events import EmbeddingsReady, PictureEmbedded, RunStarted
    from reid_tui.tui.aside import Aside
    from reid_tui.tui.frame import Frame
    from reid_tui.tui.pictures import Pictures
    from reid_tui.view.run_state import RunState

_ANSWERS: Final = 24
_IMAGE: Final = re.compile(r"#?(\d{1,15})")


class _Survey(NamedTuple):
    """All queries of an evaluation."""

    gallery: EmbeddingsReady
    labels: Labels
    first: FirstRanks
    problem: str
    """Why there are no pictures."""


class _Looked(NamedTuple):
    """What one of them found."""

    found: Ranked
    images: tuple[UInt8Array | None, ...]


class RetrievalPanel(Panel):
    """Drawn from the newest evaluation; all that takes time is done aside."""

    key = "retrieval"
    BINDINGS: ClassVar[list[BindingType]] = bindings("retrieval")

    def __init__(self, interval: float, aside: Aside, pictures: Pictures) -> None:
        """Build the panel.

        Args:
            interval: as every panel's.
            aside: where it is computed.
            pictures: of the images.
        """
        super().__init__(interval)
        self._aside = aside
        self._pictures = pictures
        self._number = 0
        self._typed = ""
        self._survey: _Survey | None = None
        self._names: tuple[str, ...] = ()

    def urgent(self, frame: Frame) -> tuple[Any, ...]:
        """Which query is shown, and whether something was computed."""
        return (self._number, self._typed, self._aside.results, frame.state.picture)

    def routine(self, frame: Frame) -> tuple[Any, ...]:
        """A new evaluation, or that nobody can be asked any more."""
        return (frame.state.gallery, frame.state.identity_names, _silent(frame))

    def choose(self, by: int) -> None:
        """Go on to the next query, or back; from a single image to the worst of all."""
        if self._typed and self._identity() is None:
            self._typed, self._number = "", 0
        else:
            self._number += by

    def asked(self, text: str) -> list[Command]:
        """Take what a person typed; what the trainer is to be asked for it."""
        self._typed, self._number = text, 0
        known = not text or self._identity() is not None or _IMAGE.fullmatch(text)
        return [] if known else [EmbedPicture(text)]

    def value(self, frame: Frame) -> str:
        """Of which evaluation."""
        if self._survey is None:
            return ""
        gallery = self._survey.gallery
        return f"{count(len(self._survey.labels))} images · step {count(gallery.step)} · / asks"

    def draw(self, frame: Frame) -> None:
        """What the query found, or why there is nothing to show."""
        state, size = frame.state, self.canvas.size
        self._names = state.identity_names
        if state.gallery is None or state.started is None:
            self._survey = None
            self.canvas.show(placeholder("no evaluation yet", *size, frame.style))
            return
        work = partial(_surveyed, self._pictures, state.gallery, state.started)
        self._survey = self._aside.ask("retrieval", state.gallery, work) or self._survey
        if self._survey is None:
            self.canvas.show(placeholder("ranking all queries", *size, frame.style))
            return
        query = self._query(frame, self._survey)
        if isinstance(query, str):
            self.canvas.show(placeholder(query, *size, frame.style))
            return
        work_one = partial(_looked_up, self._pictures, self._survey, state.started, query)
        looked = self._aside.ask("query", (self._survey.gallery, query), work_one)
        if looked is not None:
            self.canvas.show(retrieval_chart(self._shown(state, self._survey, query, looked), *size, frame.style))

    def _identity(self) -> int | None:
        """Whose name was typed."""
        return self._names.index(self._typed) if self._typed in self._names else None

    def _query(self, frame: Frame, survey: _Survey) -> int | PictureEmbedded | str:
        """A place in the evaluation, a new picture, or why there is neither."""
        queries, identity = survey.first.queries, self._identity()
        if not self._typed or identity is not None:
            if identity is not None:
                queries = queries[survey.labels.identities_N[queries] == identity]
            if not len(queries):
                return f"no query {f'of {self._typed} ' if identity is not None else ''}has a match in the gallery"
            self._number %= len(queries)
            return int(queries[self._number])
        if number := _IMAGE.fullmatch(self._typed):
            assert survey.gallery.rows is not None
            places = np.flatnonzero(survey.gallery.rows == int(number[1]))
            return int(places[0]) if len(places) else f"image {number[1]} is not among those of this evaluation"
        picture = frame.state.picture
        if picture is None or picture.path != self._typed:
            return _silent(frame) or f"{self._typed}: waits for the trainer"
        return picture.problem or picture

    def _shown(self, state: RunState, survey: _Survey, query: int | PictureEmbedded, looked: _Looked) -> Retrieval:
        identities = survey.labels.identities_N
        if isinstance(query, int):
            who = self._answer(survey, query)
            at = np.flatnonzero(survey.first.queries == query)
            ranks = survey.first.ranks
            told = rank_told(int(ranks[at[0]]), int(at[0]) + 1, len(ranks)) if len(at) else "without a match"
        else:
            who = Answer(query.path, "new picture", 0.0)
            told = f"embedded at step {count(query.step)}, the gallery at step {count(survey.gallery.step)}"
        answers = []
        for place, distance in zip(looked.found.places.tolist(), looked.found.distances.tolist(), strict=True):
            right = bool(identities[place] == identities[query]) if isinstance(query, int) else None
            same = bool(distance <= state.threshold) if np.isfinite(state.threshold) else None
            answers.append(self._answer(survey, place)._replace(distance=distance, right=right, same=same))
        return Retrieval(who, tuple(answers), told, looked.images, survey.problem)

    def _answer(self, survey: _Survey, place: int) -> Answer:
        assert survey.gallery.rows is not None
        cameras = survey.labels.cameras_N
        camera = "" if cameras is None else f" cam {cameras[place]}"
        name = name_of(int(survey.labels.identities_N[place]), self._names)
        return Answer(name, f"#{survey.gallery.rows[place]}{camera}", 0.0)


def _silent(frame: Frame) -> str:
    """Why no trainer answers; empty where one does."""
    return "nobody trains this run, so no new picture is embedded" if frame.deaf or frame.state.ended else ""


def _surveyed(pictures: Pictures, gallery: EmbeddingsReady, started: RunStarted) -> _Survey:
    """In the thread aside."""
    assert gallery.rows is not None and gallery.identities is not None and gallery.embeddings is not None  # noqa: PT018
    roles, problem = None, ""
    try:
        roles = pictures.split(gallery, started).roles
    except DataError as error:
        problem = f"no pictures: {error}"
    labels = Labels(gallery.identities, gallery.cameras, None if roles is None else roles[gallery.rows])
    return _Survey(gallery, labels, first_ranks(gallery.embeddings, labels), problem)


def _looked_up(pictures: Pictures, survey: _Survey, started: RunStarted, query: int | PictureEmbedded) -> _Looked:
    """In the thread aside."""
    embeddings = survey.gallery.embeddings
    assert embeddings is not None
    asked = query if isinstance(query, int) else np.array(query.embedding, np.float32)
    found = ranked(embeddings, survey.labels, asked, _ANSWERS)
    if survey.problem:
        return _Looked(found, ())
    if isinstance(query, int):
        return _Looked(found, tuple(pictures.take(survey.gallery, started, np.array([query, *found.places]))))
    return _Looked(found, (query.image, *pictures.take(survey.gallery, started, found.places)))
