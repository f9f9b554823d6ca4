"""`reid-tui search` as a person types it."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
from pathlib import Path

import pytest

from tests.cli.looking import Commands, commands_in


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Commands:
    return commands_in(tmp_path, monkeypatch, capsys)


def test_one_picture(commands: Commands) -> None:
    code, out, err = commands("search", "who.png", "shop", "-k", "4")
    assert (code, err) == (0, "")
    lines = [line.split() for line in out.splitlines()]
    assert lines[:5] == [
        ["rank", "distance", "probability", "identity", "picture"],
        ["1", "3.000", "SAME", "0.822", "ann", "ann/0.png"],
        ["2", "3.000", "SAME", "0.822", "ann", "ann/1.png"],
        ["3", "18.000", "DIFFERENT", "0.461", "ann", "ann/2.png"],
        ["4", "87.000", "DIFFERENT", "0.123", "bob", "bob/0.png"],
    ]
    assert "SAME as ann: at 3.000, within the threshold 10.000 (equal error), probability 0.822" in out


def test_nobody_known_at_a_rate_of_false_acceptance(commands: Commands) -> None:
    shutil.copy("shop/ann/2.png", "who.png")
    code, out, err = commands("search", "who.png", "shop", "--far", "0.01")
    assert code == 0
    assert "nobody known: the nearest lies at 15.000, beyond the threshold 5.000 (FAR 0.01)" in out
    assert err == "reid-tui: 1 picture of the gallery, pixel by pixel a query itself, left out for it\n"


def test_a_folder_of_queries_and_what_is_kept(commands: Commands) -> None:
    _, out, _ = commands("search", "shop/bob", "shop", "--csv")
    assert commands.computed == 6 + 3
    again = commands("search", "shop/bob", "shop", "--csv")
    assert commands.computed == 6 + 3
    assert again[1] == out
    rows = list(csv.DictReader(io.StringIO(out)))
    assert len(rows) == 3 * 5
    assert rows[0] == {
        "query": str(Path("shop/bob/0.png").resolve()),
        "rank": "1",
        "path": str(Path("shop/bob/1.png").resolve()),
        "identity": "bob",
        "camera": "",
        "distance": "6",
        "same": "same",
        "probability": "0.6840",
    }
    found = json.loads(commands("search", "shop/bob", "shop", "--json", "-k", "1")[1])
    assert [query["matches"][0]["identity"] for query in found["queries"]] == ["bob"] * 3
    assert [query["left_out"] for query in found["queries"]] == [1] * 3
    assert (found["threshold"], found["far"], found["prior"], found["gallery"]["pictures"]) == (10.0, None, 0.5, 6)


def test_a_gallery_of_nothing_but_the_query_has_no_table(commands: Commands) -> None:
    shutil.copytree("shop/ann", "copies")
    for number in (1, 2):
        Path(f"copies/{number}.png").unlink()
    code, out, _ = commands("search", "shop/ann/0.png", "copies")
    assert code == 0
    assert out.split("\n")[:2] == ["", "the gallery holds nothing but the query itself"]


def test_what_is_asked_wrongly_is_one_line(commands: Commands) -> None:
    assert "these, or" in commands.refused("search", "who.png", "shop", "--far", "0.02")
    assert "0.1, 0.01" in commands.refused("search", "who.png", "shop", "--far", "0.02")
    assert "QUERY nobody.png cannot be found" in commands.refused("search", "nobody.png", "shop")
    assert "GALLERY nowhere cannot be found" in commands.refused("search", "who.png", "nowhere")
    assert "-k must be a whole number from 1" in commands.refused("search", "who.png", "shop", "-k", "0")
    assert "--json and --csv" in commands.refused("search", "who.png", "shop", "--json", "--csv")
    Path("text.png").write_text("no picture")
    assert "no picture of a known format" in commands.refused("search", "text.png", "shop")
    assert "--image-root is of no use to folder:" in commands.refused(
        "search", "who.png", "folder:shop", "--image-root", "."
    )


def test_forgetting_what_was_kept(commands: Commands, capsys: pytest.CaptureFixture[str]) -> None:
    from reid_tui.cli.main import run

    commands("search", "who.png", "shop")
    home = Path(os.environ["XDG_CACHE_HOME"])
    assert any("embeddings" in path.parts and path.is_file() for path in home.rglob("*"))
    assert run(["data", "shop", "--forget"]) == 0
    capsys.readouterr()
    assert not any(path.is_file() for path in home.rglob("*"))
    commands("search", "who.png", "shop")
    assert commands.computed == 2 * (1 + 6)
