from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console, RenderableType

from reid_tui.cli.main import run
from reid_tui.data import catalog, facts, show
from reid_tui.data.dataset import Dataset, ImageSet
from reid_tui.data.pairs import draw_epoch


def grey_set(names: tuple[str, ...] = ("hat", "shoe")) -> Dataset:
    images = np.repeat(np.array([0, 255], dtype=np.uint8), 6)[:, None, None, None]
    split = ImageSet(np.tile(images, (1, 1, 4, 5)), np.repeat(np.arange(2), 6).astype(np.int64))
    return Dataset("tiny", split, split, names, names, "from nowhere", unseen=False, fingerprint="f" * 64)


def text(renderable: RenderableType, width: int, *, color: bool = False) -> str:
    out = io.StringIO()
    console = Console(
        file=out, width=width, force_terminal=color, color_system="truecolor" if color else None, legacy_windows=False
    )
    console.print(renderable)
    return out.getvalue()


def test_facts_name_everything(people_set: Dataset) -> None:
    found = text(facts.as_table(people_set), 120)
    for part in (
        "pedestrians",
        "2,048 training, 1,024 test",
        "64 x 32 pixels, RGB",
        "128 with 16 images",
        "64 with 16",
    ):
        assert part in found
    assert "none of them in training" in found
    assert "4, with 256, 256, 256, 256 test images" in found


def test_facts_count_each_of_few_identities() -> None:
    found = text(facts.as_table(grey_set()), 80)
    assert "4 x 5 pixels, grey" in found
    assert "shoe       6       6" in found


def test_facts_list_no_more_identities_than_a_person_reads() -> None:
    found = text(facts.as_table(grey_set(("hat", "shoe", *(f"thing {n}" for n in range(5000))))), 80)
    assert "and 4,902 more" in found
    assert len(found.splitlines()) < 120


def test_pairs_are_the_first_of_each_kind_that_training_takes() -> None:
    data = grey_set()
    drawn = draw_epoch(data.train.identities, 3, 0)
    kinds = (np.flatnonzero(drawn.same_P)[:2], np.flatnonzero(~drawn.same_P)[:2])
    found = text(show.pairs(data, 4, 3, 200, color=False), 200)
    expected = ["SAME" if drawn.same_P[i] else "DIFFERENT" for i in np.sort(np.concatenate(kinds))]
    assert found.split("\n")[2].split() == expected
    assert found.count("DIFFERENT") == 2


def test_a_dark_and_a_light_image_differ_without_color() -> None:
    assert [line.plain for line in show.picture(np.zeros((1, 4, 5), np.uint8), color=False)] == ["     "] * 2
    assert [line.plain for line in show.picture(np.full((3, 3, 5), 255, np.uint8), color=False)] == ["@@@@@", "====="]


def test_half_blocks_carry_both_pixels_in_their_colors() -> None:
    image = np.zeros((3, 2, 2), np.uint8)
    image[:, 0, 1] = (1, 2, 3)
    image[:, 1, 1] = (250, 128, 0)
    line = show.picture(image, color=True)[0]
    found = text(line, 10, color=True)
    assert "\x1b[38;2;0;0;0;48;2;0;0;0m▀" in found
    assert "\x1b[38;2;1;2;3;48;2;250;128;0m▀" in found


@pytest.mark.parametrize(
    ("shape", "step", "lines", "columns"),
    [((1, 28, 28), 1, 14, 28), ((3, 64, 32), 2, 16, 16), ((3, 63, 33), 1, 32, 33), ((1, 1, 1), 1, 1, 1)],
)
def test_pictures_keep_to_their_size(shape: tuple[int, int, int], step: int, lines: int, columns: int) -> None:
    for color in (True, False):
        found = show.picture(np.zeros(shape, np.uint8), step, color=color)
        assert [len(line) for line in found] == [columns] * lines


def test_smaller_picture_shows_means() -> None:
    image = np.array([[[0, 100, 8, 8], [100, 200, 8, 8]]], dtype=np.uint8)
    line = show.picture(image, 2, color=True)[0]
    assert [str(span.style).split(" ")[0] for span in line.spans] == ["#646464", "#080808"]


@pytest.mark.parametrize(("width", "lines"), [(133, 32), (132, 16), (80, 16)])
def test_tall_pictures_are_halved_unless_two_pairs_fit(people_set: Dataset, width: int, lines: int) -> None:
    found = text(show.pairs(people_set, 2, 0, width, color=False), width).split("\n")
    assert next(number for number, line in enumerate(found) if "SAME" in line or "DIFFERENT" in line) == lines
    assert max(map(len, found)) <= width


@pytest.mark.parametrize(("width", "rows"), [(1, 4), (11, 4), (24, 4), (25, 2), (80, 1)])
def test_pairs_wrap_to_the_width(width: int, rows: int) -> None:
    lines = str(text(show.pairs(grey_set(), 4, 0, width, color=False), 200)).split("\n")
    assert sum("SAME" in line or "DIFFERENT" in line for line in lines) == rows
    assert width < 11 or max(map(len, lines)) <= width


def test_no_color_leaves_no_escape(people_set: Dataset) -> None:
    assert "\x1b" not in text(show.pairs(people_set, 2, 0, 80, color=False), 80)


@pytest.mark.parametrize("wish", ["", "1"])
def test_the_command_in_a_pipe_folds_nothing_and_moves_nothing(
    wish: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source = " ".join(["a long source"] * 20)
    monkeypatch.setenv("FORCE_COLOR", wish)
    monkeypatch.setattr(catalog, "load", lambda *_: replace(grey_set(), source=source))
    assert run(["data", "mnist", "--pairs", "1"]) == 0
    told = capsys.readouterr()
    assert told.err == ""
    assert f"{source}\n" in told.out
    assert ("\x1b[" in told.out) == bool(wish), "colour where colour is wished for"


def test_no_pairs_is_nothing() -> None:
    assert text(show.pairs(grey_set(), 0, 0, 80, color=False), 80).strip() == ""


def test_control_characters_of_names_do_not_reach_the_terminal() -> None:
    names = ("h\x1b[31mat\x07", "s\u202ehoe\n[bold]")
    data = replace(grey_set(names), name="t\x9bx")
    found = text(facts.as_table(data), 100) + text(show.pairs(data, 4, 0, 200, color=False), 200)
    assert not set(found) & set("\x1b\x07\x9b\u202e")
    assert "[bold]" in found
