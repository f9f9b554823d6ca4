from __future__ import annotations

import numpy as np
import pytest

from reid_tui.evaluation.labels import DISTRACTOR, GALLERY, JUNK, QUERY, Labels
from tests.evaluation.slow import slow_ranking

BOTH = QUERY + GALLERY


def test_who_asks_and_who_can_be_found() -> None:
    identities = np.array([0, JUNK, DISTRACTOR, 1, 1, 2])
    everyone = Labels(identities)
    assert everyone.queries.tolist() == [0, 3, 4, 5]
    assert everyone.gallery.tolist() == [0, 2, 3, 4, 5]
    divided = Labels(identities, None, np.array([QUERY, GALLERY, GALLERY, BOTH, GALLERY, QUERY], dtype=np.int8))
    assert divided.queries.tolist() == [0, 3, 5]
    assert divided.gallery.tolist() == [2, 3, 4]


@pytest.mark.parametrize("seed", range(20))
def test_matches_are_those_of_the_protocol(seed: int) -> None:
    generator = np.random.default_rng(seed)
    labels = Labels(
        generator.choice([JUNK, DISTRACTOR, 0, 1, 2, 50], 40),
        None if seed % 2 else generator.integers(0, 3, 40),
        None if seed % 3 else generator.choice([QUERY, GALLERY, BOTH], 40).astype(np.int8),
    )
    nowhere = np.zeros((40, 1))
    expected = [sum(slow_ranking(nowhere, labels, query)) for query in labels.queries]
    assert labels.matches().tolist() == expected


def test_nobody_has_no_matches() -> None:
    assert Labels(np.zeros(0, dtype=np.int64)).matches().tolist() == []
    assert Labels(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)).matches().tolist() == []
