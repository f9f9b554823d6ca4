from __future__ import annotations

import pytest

from reid_tui.data.findings import Finding, sentence
from reid_tui.data.folders.noticed import KINDS


@pytest.mark.parametrize(
    ("text", "one"),
    [
        ("pictures stand under two identities", "1 picture stands under two identities"),
        ("training identities have one image", "1 training identity has one image"),
        ("pictures cannot be read and are left out", "1 picture cannot be read and is left out"),
        ("identities differ from another one", "1 identity differs from another one"),
    ],
)
def test_one_is_told_in_the_singular(text: str, one: str) -> None:
    assert sentence(Finding("x", text, 1)) == one
    assert sentence(Finding("x", text, 2)) == f"2 {text}"


def test_examples_are_three_at_most_and_cannot_move_the_cursor() -> None:
    told = sentence(Finding("x", "files lie there", 4, ("a\x1b[2J", "b\nc", "d")))
    assert told == "4 files lie there: a\ufffd[2J, b\ufffdc, d, ..."


def test_no_kind_of_finding_is_left_in_the_plural() -> None:
    for code, (text, grave) in KINDS.items():
        told = sentence(Finding(code, text, 1, (), grave))
        assert told != f"1 {text}" or text.split()[0] not in ("pictures", "identities", "rows", "files"), told
