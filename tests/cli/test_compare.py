from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reid_tui.cli import loading
from reid_tui.cli.loading import late_loading_shown
from reid_tui.cli.main import run
from reid_tui.errors import ReidTuiError
from reid_tui.evaluation.operating import Fitted, Pairs
from reid_tui.using import model as opened
from reid_tui.using import pair_grid
from tests.hostile import HOSTILE
from tests.using.shades import CARD, FITTED, Shades, shade, shades_model, shades_onnx


class Said:
    """What a command line left."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def object(self) -> dict[str, Any]:
        found = json.loads(self.out, parse_constant=pytest.fail)
        assert isinstance(found, dict)
        return found

    @property
    def rows(self) -> list[dict[str, str]]:
        return list(csv.DictReader(io.StringIO(self.out)))


class Compare:
    """`reid-tui compare RUN ...` with a network of shades, in this process."""

    def __init__(self, patch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.patch, self.capsys = patch, capsys
        self.network = Shades()
        self.fitted(FITTED)

    def fitted(self, fitted: Fitted | None, step: int = 1200) -> None:
        card = replace(CARD, fitted=fitted, fitted_step=step)
        self.patch.setattr(opened, "open_model", lambda *_: shades_model(self.network, card))

    def __call__(self, *words: str | Path) -> Said:
        code = run(["compare", "latest", *map(str, words)])
        return Said(code, *self.capsys.readouterr())


@pytest.fixture
def compare(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Compare:
    monkeypatch.chdir(tmp_path)
    return Compare(monkeypatch, capsys)


def test_same_is_0_different_1_and_all_of_it_is_said(compare: Compare) -> None:
    shade(Path("a.png"), 5), shade(Path("b.png"), 13), shade(Path("c.png"), 115)
    near, far = compare("a.png", "b.png"), compare("a.png", "c.png")
    assert (near.code, near.err, far.code, far.err) == (0, "", 1, "")
    for line in (
        "a.png   b.png",
        "SAME  distance 8.0, threshold 10.0 (equal error)",
        "probability of the same: 0.592 if 50 % of the pairs asked about are (--prior)",
        "of 1,000 different pairs 40 are this close",
        "this threshold calls 6.0 % (4.0 to 8.0) of different pairs the same and 5.0 % (3.0 to 7.0) of same pairs "
        "different, measured on identities that fitted nothing",
        "20260101-000000-shades, step 1,200, trained on shades",
    ):
        assert line in near.out.splitlines()
    assert "DIFFERENT  distance 110.0, threshold 10.0 (equal error)" in far.out.splitlines()
    assert not any("\x1b" in said.out for said in (near, far))


def test_a_rate_and_a_prior(compare: Compare) -> None:
    shade(Path("a.png"), 5), shade(Path("b.png"), 13)
    said = compare("a.png", "b.png", "--far", "0.01", "--prior", "0.01")
    assert said.code == 1
    assert "threshold 5.00 (fitted for --far 0.01)" in said.out
    assert "probability of the same: 0.014 if 1 % of the pairs asked about are (--prior)" in said.out
    unfitted = compare("a.png", "b.png", "--far", "1e-4")
    assert (unfitted.code, unfitted.out, unfitted.err.count("\n")) == (2, "", 1)
    assert "--far 0.0001" in unfitted.err
    assert "0.1, 0.01" in unfitted.err


@pytest.mark.parametrize(
    ("second", "seen", "words"),
    [
        (5, 4000, "of 1,000 different pairs fewer than 1 is this close"),
        (5, 500, "none of the 500 different pairs that it was fitted on is this close"),
        (6, 4000, "of 1,000 different pairs 5 are this close"),
        (255, 4000, "of 1,000 different pairs 900 are this close"),
    ],
)
def test_how_many_different_pairs_are_as_close(compare: Compare, second: int, seen: int, words: str) -> None:
    compare.fitted(replace(FITTED, fitted=Pairs(32, 4000, seen)))
    shade(Path("a.png"), 5), shade(Path("b.png"), second)
    assert words in compare("a.png", "b.png").out


def test_a_verdict_near_the_threshold_shows_the_digits_that_make_it(compare: Compare) -> None:
    point = replace(FITTED.points[0], threshold=7.9999)
    compare.fitted(replace(FITTED, points=(point,)))
    shade(Path("a.png"), 5), shade(Path("b.png"), 13)
    assert "DIFFERENT  distance 8.0000, threshold 7.9999" in compare("a.png", "b.png").out


def test_identities_that_were_not_apart_are_told(compare: Compare) -> None:
    compare.fitted(replace(FITTED, apart=False))
    shade(Path("a.png"), 5), shade(Path("b.png"), 13)
    assert "measured on the very identities that fitted it" in compare("a.png", "b.png").out


def test_a_threshold_that_is_fitted_at_once_and_what_was_passed_over_are_told(compare: Compare) -> None:
    compare.fitted(None)
    compare.patch.setattr(opened.Model, "fitted", lambda *_: FITTED)  # its own way wants the data of a real run
    shade(Path("a.png"), 5), shade(Path("b.png"), 13)
    said = compare("a.png", "b.png")
    assert said.code == 0
    assert said.err.splitlines() == [
        "reid-tui: a newer checkpoint was passed over: step 1300",
        "reid-tui: 20260101-000000-shades has no threshold of its own; one was fitted on its data",
    ]


def test_a_threshold_of_earlier_weights_is_told(compare: Compare) -> None:
    compare.fitted(FITTED, step=800)
    shade(Path("a.png"), 5), shade(Path("b.png"), 13)
    assert "20260101-000000-shades, step 1,200 (threshold of step 800), trained on" in compare("a.png", "b.png").out


def test_an_exported_file_is_compared_with_neither_torch_nor_a_run(tmp_path: Path) -> None:
    words = [
        "compare",
        str(shades_onnx(tmp_path / "m.onnx")),
        shade(tmp_path / "a.png", 5),
        shade(tmp_path / "b.png", 17),
    ]
    check = (
        f"import sys; from reid_tui.cli.main import run; code = run({words!r})\n"
        "assert not {'torch', 'torchvision', 'textual', 'scipy', 'sklearn', 'pydantic'} & set(sys.modules)\n"
        "sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (1, "")
    assert "DIFFERENT  distance 12.0, threshold 10.0 (equal error)" in done.stdout
    assert "m.onnx, step 1,200, trained on shades" in done.stdout


def test_a_reader_that_has_gone_is_not_taken_for_different(tmp_path: Path) -> None:
    model, a = shades_onnx(tmp_path / "m.onnx"), shade(tmp_path / "a.png", 5)
    reader, writer = os.pipe()
    os.close(reader)
    try:
        command = [sys.executable, "-m", "reid_tui", "compare", str(model), a, a]
        done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, check=False, cwd=tmp_path)
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (2, "")


def test_the_very_same_picture_is_said(compare: Compare) -> None:
    shade(Path("a.png"), 5), shade(Path("b.png"), 5)
    said = compare("a.png", "b.png")
    assert said.code == 0
    assert "the very same picture" in said.out
    assert compare("a.png", "b.png", "--json").object["very_same_picture"] is True


def test_json_of_two_pictures(compare: Compare) -> None:
    shade(Path("a.png"), 5), shade(Path("b.png"), 13)
    said = compare("a.png", "b.png", "--json")
    assert said.out.count("\n") == 1
    assert said.object == {
        "a": "a.png", "b": "b.png", "distance": 8.0, "same": True, "probability": pytest.approx(0.592),
        "different_this_close": pytest.approx(0.04), "very_same_picture": False, "threshold": 10.0, "asked_far": None,
        "far": 0.06, "far_interval": [0.04, 0.08], "frr": 0.05, "frr_interval": [0.03, 0.07], "prior": 0.5,
        "run": "20260101-000000-shades", "step": 1200, "threshold_step": 1200,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["a.png", "gone.png"], "gone.png cannot be read: No such file or directory; name a picture"),
        (["gone", "a.png"], "gone cannot be read"),
        (["a.png", "text.png"], "text.png cannot be used: no picture of a known format"),
        (["a.png", "empty.png"], "empty.png cannot be used: empty file"),
        (["a.png"], "a.png, is compared with nothing"),
        (["a.png", ""], "B must not be empty"),
        (["a.png", "pairs.csv"], "a table names both pictures"),
        (["a.png", "a.png", "--csv", "--json"], "do not go together"),
        (["a.png", "a.png", "--prior", "1"], "--prior must be"),
        (["a.png", "a.png", "--far", "x"], "--far must be"),
        (["a.png", "a.png", "a.png"], "unexpected extra argument"),
        (["nothing", "a.png"], "nothing holds no picture"),
        (["nothing"], "nothing holds no picture"),
        (["pairs.csv"], "pairs.csv has no header"),
    ],
)
def test_one_line_and_exit_2(compare: Compare, words: list[str], told: str) -> None:
    shade(Path("a.png"), 5)
    Path("text.png").write_text("no picture")
    Path("empty.png").touch()
    Path("pairs.csv").touch()
    Path("nothing").mkdir()
    said = compare(*words)
    assert (said.code, said.out, said.err.count("\n")) == (2, "", 1)
    assert told in said.err


def test_no_failure_is_taken_for_different(compare: Compare, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("a.png", 3), ("b.png", 4)):
        shade(Path(name), value)

    def fails(error: Exception) -> int:
        def fail(*_: object) -> None:
            raise error

        monkeypatch.setattr("reid_tui.using.pair_text.print_pair", fail)
        return compare("a.png", "b.png").code

    assert fails(OSError(28, "No space left on device")) == 2
    assert fails(ReidTuiError("it failed")) == 2


def test_folders_by_their_mean(compare: Compare) -> None:
    for name, value in (("x/1", 10), ("x/2", 14), ("y/1", 12), ("y/2", 100)):
        shade(Path(f"{name}.png"), value)
    said = compare("x", "y")
    assert said.code == 1
    assert said.out.splitlines()[:5] == [
        "            1     2 ",
        "1 1.png   2.0* 90.0",
        "2 2.png   2.0* 86.0",
        "columns: 1 1.png, 2 2.png",
        "* the same: no farther apart than 10.0; = no pair",
    ]
    assert "DIFFERENT  mean distance 45.0, threshold 10.0 (equal error)" in said.out
    assert "2 of 4 pairs are called the same" in said.out
    Path("y/2.png").unlink()
    assert compare("x", "y").code == 0


def test_more_pairs_than_memory_holds_are_refused_before_any_is_embedded(compare: Compare) -> None:
    shade(Path("x/1.png"), 10), shade(Path("x/2.png"), 14)
    compare.patch.setattr(pair_grid, "MOST_PAIRS", 3)
    said = compare("x")
    assert (said.code, said.out, compare.network.batches) == (2, "", [])
    assert "make 4 pairs" in said.err


def test_json_and_csv_of_folders(compare: Compare) -> None:
    for name, value in (("x/ann/1", 10), ("x/ann/2", 14), ("x/bob/1", 100), ("x/bob/2", 100)):
        shade(Path(f"{name}.png"), value)
    found = compare("x", "--json").object
    assert found["rows"] == found["columns"] == ["x/ann/1.png", "x/ann/2.png", "x/bob/1.png", "x/bob/2.png"]
    assert found["distances"][0] == [None, 4, 90, 90]
    assert found["folders"] == [
        {"a": "ann", "b": "ann", "pairs": 1, "mean": 4.0, "same": True},
        {"a": "ann", "b": "bob", "pairs": 4, "mean": 88.0, "same": False},
    ]
    assert (found["pairs"], found["very_same_pictures"], found["called_same"], found["same"]) == (5, 1, 1, False)
    rows = compare("x", "--csv").rows
    assert [(row["a"], row["b"], row["distance"], row["verdict"]) for row in rows[:2]] == [
        ("x/ann/1.png", "x/ann/2.png", "4", "same"),
        ("x/ann/1.png", "x/bob/1.png", "90", "different"),
    ]
    assert len(rows) == 6


def test_pictures_of_a_folder_that_cannot_be_read_are_left_out_and_told(compare: Compare) -> None:
    shade(Path("x/1.png"), 10), shade(Path("x/2.png"), 14)
    for number in range(8):
        Path(f"x/bad{number}.png").write_bytes(b"x")
    Path("x/out.png").symlink_to("/etc/hostname")
    said = compare("x")
    assert said.code == 0
    lines = said.err.splitlines()
    assert len(lines) == 7
    assert "left out" in lines[0]
    assert all("bad" in line for line in lines[1:6])
    assert lines[6] == "reid-tui: and 3 more"


@pytest.fixture
def table() -> Path:
    shade(Path("t/1.png"), 10), shade(Path("t/2.png"), 14), shade(Path("t/3.png"), 100)
    path = Path("t/pairs.csv")
    path.write_text("path1,path2,label\n1.png,2.png,1\n1.png,3.png,0\n2.png,3.png,1\n1.png,gone.png,1\n")
    return path


def test_a_table_of_pairs(compare: Compare, table: Path) -> None:
    said = compare(table)
    assert said.code == 2  # a row was not compared
    assert "columns are read: 'path1' as a, 'path2' as b, 'label' as verdict" in said.err
    assert "row 5 is left out: t/gone.png cannot be used: No such file" in said.err
    assert [line.split() for line in said.out.splitlines()[:3]] == [
        ["SAME", "4.0", "0.776", "1.png", "2.png"],
        ["DIFFERENT", "90.0", "0.108", "1.png", "3.png"],
        ["DIFFERENT", "86.0", "0.128", "2.png", "3.png", "wrong"],
    ]
    assert "accuracy 0.667 (2 of 3), AUC 1.000" in said.out
    confusion = [line.split() for line in said.out.splitlines()]
    assert ["same", "1", "1"] in confusion
    assert ["different", "0", "1"] in confusion
    assert "threshold 10.0 (equal error)" in said.out
    assert compare.network.batches == [3]


def test_json_and_csv_of_a_table(compare: Compare, table: Path) -> None:
    table.write_text(table.read_text().replace("1.png,gone.png,1\n", "1.png,1.png,\n"))
    found = compare(table, "--json")
    assert found.code == 0
    assert found.object["scores"] == {
        "pairs": 3,
        "accuracy": pytest.approx(2 / 3),
        "auc": 1.0,
        "confusion": {"same": {"same": 1, "different": 1}, "different": {"same": 0, "different": 1}},
    }
    assert [(pair["row"], pair["expected"], pair["same"]) for pair in found.object["pairs"]] == [
        (2, True, True), (3, False, False), (4, True, False), (5, None, True),
    ]  # fmt: skip
    rows = compare(table, "--csv").rows
    assert [(row["verdict"], row["expected"]) for row in rows] == [
        ("same", "same"), ("different", "different"), ("different", "same"), ("same", ""),
    ]  # fmt: skip


def test_a_table_without_verdicts_has_no_scores(compare: Compare, table: Path) -> None:
    table.write_text("a,b\n" + "1.png,2.png\n" * 50)
    said = compare(table)
    assert (said.code, said.err) == (0, "")
    assert "10 more pairs; --csv has all" in said.out
    assert "accuracy" not in said.out
    assert compare(table, "--json").object["scores"] is None


def test_a_table_of_nothing_but_missing_pictures(compare: Compare) -> None:
    Path("pairs.csv").write_text("a,b\nx.png,y.png\n")
    said = compare("pairs.csv")
    assert (said.code, said.out, said.err.count("\n")) == (2, "", 1)
    assert "row 2 is left out: x.png cannot be used" in said.err


def test_csv_is_read_again_with_its_verdicts(compare: Compare) -> None:
    for name, value in (("x/1", 10), ("x/2", 14), ("x/3", 100)):
        shade(Path(f"{name}.png"), value)
    Path("again.csv").write_text(compare("x", "--csv").out)
    found = compare("again.csv", "--json").object
    assert found["scores"]["accuracy"] == 1
    assert found["scores"]["pairs"] == 3


@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE)
def test_names_from_outside_drive_no_terminal(compare: Compare, name: str) -> None:
    stem = os.fsdecode(name.replace("/", "_").encode("utf-8", "surrogatepass")[:200])
    folder = Path("in")
    plain = shade(folder / "plain.png", 5)
    odd = Path(plain).rename(folder / f"{stem}.png")
    shade(folder / "plain.png", 9)
    for said in (compare(odd, plain), compare(folder), compare(odd, folder), compare(odd, "gone.png")):
        for text in (said.out, said.err):
            assert all(line.isprintable() for line in text.split("\n")), text
    in_json = compare(odd, plain, "--json").out.rstrip("\n")
    assert in_json.isascii()
    assert in_json.isprintable()


def test_a_bar_is_shown_once_it_takes_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    now, begun, told = [0.0], [], []

    class Bar:
        def __enter__(self) -> Any:
            begun.append(now[0])
            return lambda *words: told.append(words)

        def __exit__(self, *_: object) -> None:
            begun.append(-1)

    monkeypatch.setattr(loading, "loading_shown", Bar)
    with late_loading_shown(lambda: now[0]) as report:
        for now[0] in (0.0, 1.9, 2.0, 5.0):
            report("embedding pictures", 1, 2)
    assert begun == [2.0, -1]
    assert told == [("embedding pictures", 1, 2)] * 2
