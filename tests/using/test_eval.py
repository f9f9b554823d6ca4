"""`reid-tui eval` on a run, on other data and on embeddings of anybody's."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from reid_tui.cli.main import run
from reid_tui.config import DataOptions
from reid_tui.data import catalog
from reid_tui.errors import DataError
from reid_tui.evaluation.detailed import detailed
from reid_tui.evaluation.labels import Labels
from reid_tui.runs.directory import RunDirectory
from reid_tui.using.eval_data import as_markdown, as_object
from reid_tui.using.eval_text import Room, print_evaluation
from reid_tui.using.evaluating import Evaluated, Split, Subjects, is_own
from reid_tui.view.palette import ChartStyle
from tests.escapes import taken_apart
from tests.hostile import HOSTILE
from tests.using.conftest import EACH, PEOPLE, STEPS, snapshot
from tests.view.samples import stripped

KEYS = (
    *("protocol", "queries", "queries_without_match", "gallery", "rank1", "rank5", "rank10", "rank20"),
    *("map", "map_trapezoid", "minp", "auc", "eer", "threshold", "d_prime"),
    *("tar_at_far", "tpir_at_fpir", "intervals"),
)
Said = pytest.CaptureFixture[str]


class Shown(NamedTuple):
    """An evaluation in three forms."""

    text: str
    kept: dict[str, Any]
    picture: Path


@pytest.fixture(autouse=True, scope="module")
def _drawn_once() -> Iterator[None]:
    """Drawing takes longer than all that is tested here."""
    dataset = catalog.load(DataOptions(data="pedestrians"), lambda *_: None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(catalog.LOADERS, "pedestrians", lambda _: dataset)
        yield


def answer(said: Said, *argv: str) -> dict[str, Any]:
    """The JSON object of an evaluation."""
    assert run(["eval", *argv, "--json"]) == 0
    found: dict[str, Any] = json.loads(said.readouterr().out)
    return found


def refusal(said: Said, *argv: str, code: int = 2) -> str:
    """The one line of one that is not made."""
    assert run(["eval", *argv]) == code
    told = said.readouterr()
    assert told.out == ""
    lines = [line for line in told.err.splitlines() if line != "starting torch"]
    assert len(lines) == 1, told.err
    return lines[0]


# A run.


@pytest.fixture(scope="module")
def shown(trained_run: Path, tmp_path_factory: pytest.TempPathFactory, _drawn_once: None) -> Shown:
    """What a person is told of the run, and the reports of it."""
    folder = tmp_path_factory.mktemp("reports")
    saves = [word for ending in ("json", "png") for word in ("--save", str(folder / f"r.{ending}"))]
    before, out = snapshot(trained_run), io.StringIO()
    with contextlib.redirect_stdout(out):
        assert run(["eval", str(trained_run), "--rerank", *saves]) == 0
    assert snapshot(trained_run) == before
    return Shown(out.getvalue(), json.loads((folder / "r.json").read_text()), folder / "r.png")


@pytest.mark.slow
def test_a_run_is_scored_as_it_scored_itself(shown: Shown, trained_run: Path) -> None:
    events = [json.loads(line) for line in RunDirectory(trained_run).events.read_text().splitlines()]
    own, found = [event for event in events if event["event"] == "evaluated"][-1], shown.kept
    assert (found["step"], found["split"], found["name"]) == (STEPS, own["split"], trained_run.name)
    assert (found["protocol"], found["intervals"].keys()) == (own["protocol"], own["intervals"].keys())
    for key in KEYS[1:15]:
        assert found[key] == pytest.approx(own[key], rel=1e-3), key
    assert found["tar_at_far"] == {far: tar and pytest.approx(tar, rel=1e-3) for far, tar in own["tar_at_far"].items()}
    split = found["splits"]["unseen"]
    assert {key: found[key] for key in KEYS} == {key: split[key] for key in KEYS}
    assert split["fitted"]["points"][0]["threshold"] == pytest.approx(own["fitted"]["points"][0]["threshold"], rel=1e-3)
    assert split["reranked"]["map"] > found["map"]


@pytest.mark.slow
def test_a_person_is_shown_the_table_the_curves_and_the_mistakes(shown: Shown, trained_run: Path) -> None:
    assert f"{trained_run.name}, step {STEPS}: pedestrians, 64x32 RGB pictures" in shown.text
    assert "1,024 queries with a match and 0 without in 1,024 images, leave-one-out, other cameras only" in shown.text
    for words in (
        *(
            "mAP, finite sum",
            "mAP, trapezoid",
            "TPIR at FPIR 0.1",
            "TAR at FAR  ",
            "found by rank",
            "taken for",
            "cam 4",
        ),
        *("re-ranked by mutual neighbours", "no threshold holds for them", "thresholds fitted on unseen"),
    ):
        assert words in shown.text
    assert shown.text.count("SAME, ") == shown.text.count("DIFFERENT, ") == 5


def test_the_picture_shows_curves_and_mistakes(shown: Shown) -> None:
    image = Image.open(shown.picture)
    pixels = np.asarray(image.convert("RGB")).astype(int)
    assert image.width == 1500
    blue = (np.abs(pixels - np.array(ChartStyle.light().accent)).sum(axis=2) < 30).sum()
    assert blue > 2000  # curves of four pixels' width
    assert pixels[-600:].std() > 40  # people, not white paper


def test_data_that_is_gone_is_one_line(trained_run: Path, capsys: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(_: object) -> NoReturn:
        raise DataError("the files are gone; put them back")

    monkeypatch.setitem(catalog.LOADERS, "pedestrians", gone)
    assert "the files are gone; put them back" in refusal(capsys, str(trained_run))


# Other data.


def test_other_data_is_brought_to_the_networks_size(
    trained_run: Path, people: Path, tmp_path: Path, capsys: Said
) -> None:
    for path in people.rglob("*.png"):
        target = tmp_path / "grey" / path.relative_to(people)
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.open(path).convert("L").resize((50, 90)).save(target)
    before = snapshot(tmp_path / "grey")
    assert run(["eval", str(trained_run), "--data", str(tmp_path / "grey"), "--json"]) == 0
    told = capsys.readouterr()
    found = json.loads(told.out)
    assert "grey, and are brought to 64x32 RGB" in told.err
    assert snapshot(tmp_path / "grey") == before
    assert (found["split"], found["queries"], found["gallery"]) == ("test", PEOPLE * EACH, PEOPLE * EACH)
    assert [point["asked"] for point in found["network_thresholds"]][:2] == [None, 0.1]
    hardest = found["splits"]["test"]["hardest"]
    assert {hard["identity"] for hard in hardest} == {f"person-{number}" for number in range(PEOPLE)}
    assert ".png" in found["splits"]["test"]["mistakes"][0]["query"]


def test_the_runs_own_data_is_known_by_any_spelling(own_run: Path, tmp_path: Path) -> None:
    runs = own_run.parent
    assert is_own(own_run.name, runs, "pedestrians")
    assert not is_own(own_run.name, runs, "mnist")
    assert not is_own("m.onnx", runs, "pedestrians")
    (tmp_path / "ann").mkdir()
    config = json.loads((own_run / "config.json").read_text())
    config["config"]["data"] = f"folder:{tmp_path}"
    (own_run / "config.json").write_text(json.dumps(config))
    for spelling in (f"folder:{tmp_path}", f"{tmp_path}/", f"{tmp_path}/runs/.."):
        assert is_own("latest", runs, spelling), spelling
    assert not is_own("latest", runs, f"{tmp_path}/ann")


def test_what_was_trained_on_is_said(own_run: Path, people: Path, capsys: Said) -> None:
    config = json.loads((own_run / "config.json").read_text())
    config["config"]["data"] = f"folder:{people}"
    (own_run / "config.json").write_text(json.dumps(config))
    argv = ["eval", str(own_run), "--data", str(people), "--camera-pattern", r"^(c\d)_", "--json"]
    assert run(argv) == 0
    told = capsys.readouterr()
    assert "the network was trained on some of these pictures" in told.err
    assert json.loads(told.out)["protocol"] == "leave-one-out, other cameras only"


def test_data_of_nobody_known_is_refused(trained_run: Path, people: Path, tmp_path: Path, capsys: Said) -> None:
    for number, path in enumerate(sorted(people.rglob("*.png"))[:5]):
        (tmp_path / f"{number}.png").write_bytes(path.read_bytes())
    line = refusal(capsys, str(trained_run), "--data", str(tmp_path))
    assert "no picture has another of its identity" in line


# Embeddings.


def embeddings(path: Path, places: list[float], **labels: list[Any]) -> str:
    """A file of points on a line; the kind is its ending."""
    columns = {name: values for name, values in labels.items() if values}
    if path.suffix == ".npz":
        arrays = {
            f"{name.removesuffix('y')}{'ies' if name[-1] == 'y' else 's'}": np.array(columns[name]) for name in columns
        }
        np.savez(path, embeddings=np.array(places)[:, None], **arrays)  # type: ignore[arg-type]
    else:
        with path.open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow([*columns, "d0"])
            rows.writerows(zip(*columns.values(), places, strict=True))
    return str(path)


@pytest.mark.parametrize("kind", [".npz", ".csv"])
def test_known_values(kind: str, tmp_path: Path, capsys: Said) -> None:
    file = tmp_path / f"e{kind}"
    roles = ["query", *["gallery"] * 7]
    embeddings(file, [0, 1, 2, 3, 4, 5, 6, 7], identity=[0, 0, 0, 1, 0, 1, 1, 0], role=roles)
    found = answer(capsys, "--embeddings", str(file))
    assert found["map"] == pytest.approx(0.830357, abs=5e-7)
    assert found["map_trapezoid"] == pytest.approx(0.811012, abs=5e-7)
    assert found["minp"] == pytest.approx(0.571429, abs=5e-7)
    assert (found["protocol"], found["queries"], found["gallery"]) == ("query and gallery", 1, 7)

    people, cameras = zip((1, 1), (1, 1), (2, 2), (1, 2), (1, 1), (3, 1), (1, 3), strict=True)
    embeddings(file, list(range(7)), identity=list(people), camera=list(cameras), role=["query", *["gallery"] * 6])
    found = answer(capsys, "--embeddings", str(file))
    assert (found["rank1"], found["rank5"], found["map"], found["minp"]) == (0.0, 1.0, 0.5, 0.5)

    embeddings(file, [0, *[1] * 10], identity=[0, 0, 0, *range(1, 9)], role=["query", *["gallery"] * 10])
    found = answer(capsys, "--embeddings", str(file))
    assert (found["rank1"], found["rank5"], found["rank10"]) == (0.0, 0.0, 1.0)

    embeddings(file, [0, 1, 3, 7], identity=["a", "b", "a", "b"])
    found = answer(capsys, "--embeddings", str(file))
    assert (found["protocol"], found["queries"], found["rank1"]) == ("leave-one-out", 4, 0.0)
    assert found["map"] == pytest.approx((1 / 2 + 1 / 3 + 1 / 2 + 1 / 2) / 4)


def test_in_market_0_is_a_distractor_and_always_minus_1_is_junk(tmp_path: Path, capsys: Said) -> None:
    file = embeddings(tmp_path / "e.npz", [0, 1, 2, 3], identity=[5, 0, -1, 5])
    plain, market = answer(capsys, "--embeddings", file), answer(capsys, "--embeddings", file, "--market")
    assert (plain["queries"], plain["queries_without_match"], plain["gallery"]) == (2, 1, 3)
    assert (market["queries"], market["queries_without_match"], market["gallery"]) == (2, 0, 3)
    assert plain["map"] == market["map"] == 0.5


def test_a_person_is_told_rows_where_there_are_no_pictures(tmp_path: Path, capsys: Said) -> None:
    file = embeddings(tmp_path / "e.csv", [0, 1, 3, 7, 8, 9], identity=["ann", "bob"] * 3)
    assert run(["eval", "--embeddings", file]) == 0
    shown = capsys.readouterr().out
    assert "SAME, 8.000 apart  ann (row 2) and ann (row 6)" in shown
    assert "6 embeddings of 1 dimensions, 2 identities" in shown


def test_hostile_names_move_nothing(tmp_path: Path, capsys: Said) -> None:
    people = [name.encode("utf-8", "replace").decode() for name in HOSTILE]
    file = tmp_path / "e.npz"
    rng = np.random.default_rng(0)
    points = rng.normal(size=(4 * len(people), 3))
    np.savez(file, embeddings=points, identities=np.array(people * 4), cameras=np.array(people * 2 + people[::-1] * 2))
    saves = [word for ending in ("md", "json", "png") for word in ("--save", str(tmp_path / f"r.{ending}"))]
    assert run(["eval", "--embeddings", str(file), *saves]) == 0
    assert run(["eval", "--embeddings", str(file), "--json"]) == 0
    told = capsys.readouterr()
    for written in (told.out.encode(), told.err.encode(), (tmp_path / "r.md").read_bytes()):
        sent = taken_apart(written)
        assert sent.kinds <= {"0x0a"}
        assert not sent.invisible - {"\n"}
    assert "[link=" not in (tmp_path / "r.md").read_text().replace("\\[", "")


# What goes together.


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        ([], "name a RUN"),
        (["latest", "--embeddings", "x.npz"], "give one of the two"),
        (["latest", "--market"], "--market is for --embeddings"),
        (["latest", "--data", ""], "--data must not be empty"),
        (["latest", "--data-dir", "x"], "--data-dir goes with --data"),
        (["--embeddings", "x.npz", "--data", "mnist"], "--data is for a RUN"),
        (["--embeddings", ""], "--embeddings must not be empty"),
        (["--embeddings", "x.txt"], "neither .npz nor .csv"),
        (["--embeddings", "none.npz"], "No such file"),
        (["latest", "--far", "0"], "--far must be"),
        (["latest", "--save", "x.pdf"], "--save must end in .md, .json, .png, not 'x.pdf'"),
        (["latest", "--save", "no/x.md"], "there is no folder"),
        (["latest", "--save", "x.md", "--save", "x.md"], "given twice"),
        (["nobody"], "nobody"),
        (["m.onnx"], "m.onnx does not know what data it was trained on; name some with --data"),
    ],
)
def test_one_line_and_exit_2(
    argv: list[str], words: str, tmp_path: Path, capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert words in refusal(capsys, *argv)
    assert not list(tmp_path.iterdir())


# Reports.


def test_reports_are_private_whole_and_replaced_only_by_force(tmp_path: Path, capsys: Said) -> None:
    file = embeddings(tmp_path / "e.npz", [0, 1, 3, 7], identity=["a", "b", "a", "b"])
    report = tmp_path / "report.md"
    report.write_text("mine")
    saves = ["--save", str(tmp_path / "r.json"), "--save", str(report)]
    assert "--force" in refusal(capsys, "--embeddings", file, *saves)
    assert report.read_text() == "mine"
    assert not (tmp_path / "r.json").exists()
    found = answer(capsys, "--embeddings", file, *saves, "--force")
    assert json.loads((tmp_path / "r.json").read_text()) == found
    assert "| mAP, finite sum | 0.458 (" in report.read_text()
    assert stat.S_IMODE(report.stat().st_mode) == 0o600
    assert {path.name for path in tmp_path.iterdir()} == {"e.npz", "r.json", "report.md"}


def test_a_report_that_cannot_be_written_is_one_line(tmp_path: Path, capsys: Said) -> None:
    file = embeddings(tmp_path / "e.npz", [0, 1, 3, 7], identity=["a", "b", "a", "b"])
    code = run(["eval", "--embeddings", str(file), "--json", "--save", "/proc/x.md"])
    out, err = capsys.readouterr()
    assert (code, err.count("\n")) == (1, 1)
    assert "/proc/x.md cannot be written" in err
    assert json.loads(out)["queries"] == 4, "what was computed is not lost"


def three_splits(*, names: tuple[str, ...] = ("a", "b|c", "d")) -> Evaluated:
    """Made of noise: unseen, seen and validation, of which the last has no match."""
    rng = np.random.default_rng(0)
    splits = []
    for name, each in (("unseen", 8), ("seen", 8), ("validation", 1)):
        labels = Labels(np.repeat(np.arange(3), each))
        points = rng.normal(size=(3 * each, 4)).astype(np.float32)
        image = rng.integers(0, 256, (3, 40, 20), dtype=np.uint8)
        subjects = Subjects(names, lambda _: "1", lambda place: f"f{place}.png", lambda _, image=image: image)
        splits.append(Split(name, labels, detailed(points, labels, seed=0, rerank=True), subjects))
    card = splits[0].detailed.fitted
    return Evaluated("run", 7, "data", 4, tuple(splits), card, ("a note",))


@pytest.mark.slow
@pytest.mark.parametrize("width", [30, 40, 80, 120])
@pytest.mark.parametrize("style", [ChartStyle(), ChartStyle("ascii", "none")], ids=["colours", "none"])
def test_it_fits_the_terminal(width: int, style: ChartStyle) -> None:
    found = three_splits()
    console = Console(width=width, force_terminal=True, color_system="truecolor", highlight=False)
    with console.capture() as capture:
        print_evaluation(console, found, Room(width, style))
    lines = stripped(capture.get().split("\n"))
    assert [line for line in lines if len(line) > width] == []
    for words in ("unseen", "seen", "validation", "re-ranked", "TAR at FAR  ", "found by rank"):
        assert any(words in line for line in lines)
    together = [line for line in lines if line.split() == ["unseen", "seen", "validation"]]
    assert len(together) == (width >= 80)


def test_a_report_names_all_splits_and_no_name_breaks_its_tables() -> None:
    found = three_splits()
    text = as_markdown(found)
    assert "|  | unseen | seen | validation |" in text
    assert "b\\|c" in text
    rows = [line for line in text.split("\n") if line.startswith("|")]
    assert {line.replace("\\|", "").count("|") for line in rows} == {4, 5, 6}
    kept = as_object(found)
    assert kept["splits"]["validation"]["map"] is None
    assert kept["notes"] == ["a note"]
    json.dumps(kept, allow_nan=False)
    assert as_object(replace(found, card=None)).get("network_thresholds") is None


# The installed command.


@pytest.mark.slow
def test_the_installed_command(tmp_path: Path) -> None:
    file = embeddings(tmp_path / "e.csv", [0, 1, 3, 7], identity=["a", "b", "a", "b"])
    command = [Path(sys.executable).with_name("reid-tui"), "eval", "--embeddings", file, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert json.loads(done.stdout)["protocol"] == "leave-one-out"
    assert done.stderr == ""
    assert [path.name for path in tmp_path.iterdir()] == ["e.csv"]
