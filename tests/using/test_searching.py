"""Searching: what is ranked, what is left out, and what is said of it."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from reid_tui.using import search_report
from reid_tui.using.comparing import Judge, judge
from reid_tui.using.model import Model
from reid_tui.using.searching import CSV_HEADER, Found, look
from tests.hostile import HOSTILE
from tests.using.conftest import EACH, PEOPLE
from tests.using.places import by_hand, options, quiet

NEAR, FAR = 1e6, 1e-9
"""Thresholds within which all lies, and nothing but the very same."""


pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))


def looked(model: Model, query: object, gallery: object, count: int = 5, judged: Judge | None = None) -> Found:
    judged = judged or judge(by_hand(NEAR), None)
    return look(model, judged, options(query), options(gallery), count, quiet)


def ranked(found: Found, query: int = 0) -> list[str]:
    return [found.gallery.pictures.name(match.place) for match in found.answers[query].matches]


def printed(found: Found, width: int = 80, *, terminal: bool = True, color: bool = False) -> list[str]:
    file = io.StringIO()
    system = "truecolor" if color else None
    console = Console(file=file, width=width, force_terminal=terminal, color_system=system, no_color=not color)
    search_report.print_on(console, found)
    return file.getvalue().split("\n")


def test_ranked_as_the_model_measures_and_without_the_query_itself(trained_model: Model, people: Path) -> None:
    query = people / "person-2/c1_0.png"
    found = looked(trained_model, query, people, 100)
    (answer,) = found.answers
    assert (answer.left_out, len(answer.matches)) == (1, PEOPLE * EACH - 1)
    others = [path for path in sorted(people.rglob("*.png")) if path != query]
    distances = [trained_model.distance(query, path) for path in others]
    order = np.argsort(distances, kind="stable")
    np.testing.assert_allclose([match.distance for match in answer.matches], np.sort(distances), atol=1e-5)
    assert ranked(found)[:3] == [str(others[row].relative_to(people)) for row in order[:3]]
    assert "1 picture of the gallery, pixel by pixel a query itself, left out for it" in found.notes


def test_a_copy_under_another_name_is_the_query_itself(trained_model: Model, people: Path, tmp_path: Path) -> None:
    own = shutil.copytree(people, tmp_path / "own")
    shutil.copy(people / "person-2/c1_0.png", own / "person-0/other.png")
    found = looked(trained_model, own / "person-2/c1_0.png", own, 100)
    assert found.answers[0].left_out == 2
    assert not {"person-2/c1_0.png", "person-0/other.png"} & set(ranked(found))


def test_what_is_equally_far_keeps_the_order_of_the_gallery(trained_model: Model, people: Path, tmp_path: Path) -> None:
    for name in ("z", "a", "m"):
        shutil.copytree(people / "person-1", tmp_path / "own" / name)
    first = looked(trained_model, people / "person-0/c1_0.png", tmp_path / "own", 3)
    one = ranked(first)[0].partition("/")[2]
    assert ranked(first) == [f"a/{one}", f"m/{one}", f"z/{one}"]


def test_near_enough_is_the_same_and_beyond_nobody_is_known(trained_model: Model, people: Path) -> None:
    query = people / "person-0/c1_0.png"
    first = looked(trained_model, query, people).answers[0].matches
    middle = (first[1].distance + first[2].distance) / 2
    found = looked(trained_model, query, people, judged=judge(by_hand(middle), None))
    assert [match.same for match in found.answers[0].matches] == [True, True, False, False, False]
    assert found.answers[0].known
    exactly = looked(trained_model, query, people, judged=judge(by_hand(first[0].distance), None))
    assert [match.same for match in exactly.answers[0].matches][:1] == [True]
    nobody = looked(trained_model, query, people, judged=judge(by_hand(FAR), None))
    assert not nobody.answers[0].known
    (said,) = (line for line in printed(nobody, 200) if "nobody" in line)
    assert said.startswith(f"nobody known: the nearest lies at {first[0].distance:.3f}, beyond the threshold")


def test_the_probability_follows_distance_and_prior(trained_model: Model, people: Path) -> None:
    query = people / "person-0/c1_0.png"
    fitted = by_hand(1.0)
    even, rare = (
        [
            match.probability
            for match in looked(trained_model, query, people, 9, judge(fitted, None, prior)).answers[0].matches
        ]
        for prior in (0.5, 0.01)
    )
    assert even == sorted(even, reverse=True)
    assert all(low <= high for low, high in zip(rare, even, strict=True))
    assert rare != even


def test_a_gallery_of_nothing_but_the_query(trained_model: Model, people: Path) -> None:
    query = people / "person-0/c1_0.png"
    found = looked(trained_model, query, query)
    assert found.answers[0].matches == ()
    assert "the gallery holds nothing but the query itself" in printed(found)
    assert json.loads(json.dumps(found.as_object()))["queries"][0]["known"] is False
    assert list(found.rows()) == [CSV_HEADER]


def test_a_folder_of_queries_is_a_line_each(trained_model: Model, people: Path) -> None:
    found = looked(trained_model, people / "person-3", people)
    assert [answer.left_out for answer in found.answers] == [1] * EACH
    lines = printed(found, 120)
    names = sorted(path.name for path in (people / "person-3").iterdir())
    assert [line.split()[:2] for line in lines[1 : EACH + 1]] == [[name, "SAME"] for name in names]
    assert any(line.startswith(f"{EACH} of {EACH} queries are known") for line in lines)
    beyond = printed(looked(trained_model, people / "person-3", people, judged=judge(by_hand(FAR), None)), 120)
    assert sum("nobody known" in line for line in beyond) == EACH
    assert any(line.startswith(f"0 of {EACH} queries are known") for line in beyond)


@pytest.mark.parametrize(("width", "across"), [(80, 6), (120, 9), (30, 2)])
def test_pictures_fit_the_terminal(trained_model: Model, people: Path, width: int, across: int) -> None:
    found = looked(trained_model, people / "person-0/c1_0.png", people, 10)
    lines = printed(found, width)
    said = next(place for place, line in enumerate(lines) if line.startswith("looked"))  # a path is not cut in two
    assert max(map(len, lines[:said])) <= width
    labels = next(line.split() for line in lines if line.startswith("query"))
    assert len(labels[1:]) == 2 * (min(across, 11) - 1)
    verdicts = [line for line in lines if line.split() and set(line.split()) <= {"SAME", "DIFFERENT"}]
    assert sum(len(line.split()) for line in verdicts) == 10
    assert any("▀" in line for line in printed(found, width, color=True))
    assert not any("▀" in line for line in lines)


def test_off_a_terminal_only_words(trained_model: Model, people: Path) -> None:
    lines = printed(looked(trained_model, people / "person-0/c1_0.png", people), 10_000, terminal=False)
    assert lines[0].split() == ["rank", "distance", "probability", "identity", "picture"]
    assert [line.split()[0] for line in lines[1:6]] == ["1", "2", "3", "4", "5"]
    assert lines[7].startswith("SAME as person-")


def test_json_and_csv_say_the_same(trained_model: Model, people: Path) -> None:
    found = looked(trained_model, people / "person-1", people, 3, judge(by_hand(NEAR, far_01=2.5), 0.1, 0.2))
    whole = json.loads(json.dumps(found.as_object(), allow_nan=False))
    assert {key: whole[key] for key in ("run", "step", "threshold", "far", "prior")} == {
        "run": trained_model.name,
        "step": trained_model.step,
        "threshold": 2.5,
        "far": 0.1,
        "prior": 0.2,
    }
    assert whole["gallery"]["pictures"] == PEOPLE * EACH
    header, *rows = csv.reader(io.StringIO("\n".join(",".join(row) for row in found.rows())))
    assert tuple(header) == CSV_HEADER
    assert len(rows) == 3 * EACH
    matches = [(query, match) for query in whole["queries"] for match in query["matches"]]
    for row, (query, match) in zip(rows, matches, strict=True):
        assert row[:4] == [query["path"], str(match["rank"]), match["path"], match["identity"]]
        assert float(row[5]) == pytest.approx(match["distance"], rel=1e-5)
        assert row[6] == ("same" if match["same"] else "different")
        assert Path(match["path"]).is_file()


def test_names_that_drive_terminals_or_spreadsheets_do_not(trained_model: Model, people: Path, tmp_path: Path) -> None:
    names = [name.replace("/", "").replace("\ud800", "")[:60] for name in HOSTILE] + ["=cmd()", "-1", "@x", "+1 2"]
    for number, name in enumerate(names):
        (tmp_path / "odd" / name).mkdir(parents=True)
        shutil.copy(people / f"person-{number % PEOPLE}/c1_0.png", tmp_path / "odd" / name / f"{name[:20]}.png")
    found = looked(trained_model, people / "person-0/c2_1.png", tmp_path / "odd", 50)
    text = "".join(printed(found, 80)) + "".join(cell for row in found.rows() for cell in row)
    assert text.isprintable()
    cells = {row[3] for row in found.rows()}
    assert {"'=cmd()", "-1", "'@x", "'+1 2"} <= cells
    assert json.dumps(found.as_object()).isascii()
