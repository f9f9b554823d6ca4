"""Which source a spec means, and what is said where none or two fit."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from reid_tui.config import DataOptions
from reid_tui.data.catalog import SPECS
from reid_tui.data.folders import sources, torchvision_files
from reid_tui.data.folders.listing import Listing, Picture
from reid_tui.data.pool import UNDIVIDED
from reid_tui.errors import DataError, UsageError
from reid_tui.text import printable
from tests.another_user import as_another_user
from tests.data.folders.test_benchmarks import CUHK, DUKE, VERI
from tests.data.folders.test_msmt17 import msmt17
from tests.data.folders.trees import MARKET, brief, listed, put, quiet

PEOPLE = ("alice/1.jpg", "bob/1.jpg")
TABLE = "image,id\nalice/1.jpg,a\nbob/1.jpg,b\n"


def refused(spec: str) -> str:
    with pytest.raises(DataError) as error:
        listed(spec)
    text = str(error.value)
    assert printable(text, 10_000) == text
    return text


def layout(kind: str, root: Path) -> Path:
    """A tree that only one source fits, or its table."""
    match kind:
        case "msmt17":
            msmt17(root)
        case "csv":
            put(root, "pictures/1.jpg", "pictures/2.jpg")
            (root / "Labels.CSV").write_text("file;label\npictures/1.jpg;a\npictures/2.jpg;b\n")
            (root / "notes.csv").write_text("when,who\n")
        case _:
            files = {"folder": PEOPLE, "market1501": MARKET, "dukemtmc": DUKE, "veri776": VERI}
            put(root, *files.get(kind, [f"labeled/{name}" for name in CUHK]))
    return root / "Labels.CSV" if kind == "csv" else root


BY_PATH = [prefix for prefix, source in sources.SOURCES.items() if source.by_path]


@pytest.mark.parametrize("kind", BY_PATH)
def test_a_bare_path_is_recognised_and_told(tmp_path: Path, kind: str) -> None:
    root = tmp_path / "x"
    place = layout(kind, root)
    lines: list[str] = []
    listing = sources.listing(DataOptions(data=str(root)), lambda text, *_: lines.append(text))
    assert lines[0] == f"{place} is taken as {kind}"
    assert listing.source.endswith(f", taken as {kind}")
    assert listing.spec == sources.canonical(str(root)) == f"{kind}:{place}"
    assert brief(listing) == brief(listed(listing.spec))
    assert not listed(listing.spec).source.endswith(f"taken as {kind}")


def test_a_spec_opens_the_same_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "real", *PEOPLE)
    (tmp_path / "link").symlink_to("real")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for spec in ("folder:real", "folder:./link/", "folder:~/link", "~/real", "link", f"folder:{tmp_path}/link/../real"):
        assert sources.canonical(spec) == f"folder:{tmp_path}/real"
    assert sources.canonical("torchvision:omniglot") == "torchvision:Omniglot"
    (tmp_path / "t.csv").write_text(TABLE)
    (tmp_path / "real/t.csv").symlink_to("../t.csv")
    assert sources.canonical("link/t.csv") == sources.canonical("csv:link/t.csv") == f"csv:{tmp_path}/real/t.csv"
    assert len(listed("link/t.csv").pictures) == 2


def test_two_that_fit_are_both_named(tmp_path: Path) -> None:
    put(tmp_path, *PEOPLE)
    (tmp_path / "labels.csv").write_text(TABLE)
    text = refused(str(tmp_path))
    assert text == f"{tmp_path} may be read in more than one way; say folder:{tmp_path} or csv:{tmp_path}/labels.csv"
    assert len(listed(f"folder:{tmp_path}").pictures) == len(listed(f"csv:{tmp_path}/labels.csv").pictures) == 2


@pytest.mark.parametrize(
    ("paths", "message"),
    [
        ((), "holds no picture; it fits none of folder, csv, "),
        (("a.jpg", "b.jpg"), "has 2 pictures in no identity's folder, first 'a.jpg', 'b.jpg'; it fits none"),
        (("alice/1.jpg",), "has 1 picture of one identity, 'alice'; it fits none of folder"),
        (
            ("a.pdf", ".b.jpg"),
            "holds no picture, 2 files are passed over: they have no picture's ending, or are hidden; it fits",
        ),
        (
            ("a.csv", "b\x1b.tsv"),
            "holds no picture, 2 files are passed over: they have no picture's ending, or are hidden; its tables",
        ),
    ],
)
def test_a_folder_that_fits_nothing_is_told_what_it_holds(tmp_path: Path, paths: tuple[str, ...], message: str) -> None:
    text = refused(str(put(tmp_path / "x", *paths)))
    assert f"{tmp_path}/x {message}" in text
    assert text.endswith(
        "; it fits none of folder, csv, market1501, dukemtmc, veri776, cuhk03, msmt17; folder: wants one folder per "
        "identity, as in PATH/alice/1.jpg or PATH/train/alice/1.jpg"
    )


def test_of_two_tables_none_is_guessed(tmp_path: Path) -> None:
    for name in ("train.csv", "test.csv"):
        put(tmp_path).joinpath(name).write_text(TABLE)
    assert "; its tables are 'test.csv', 'train.csv'; it fits" in refused(str(tmp_path))


def test_a_benchmark_with_names_of_another_is_not_taken_for_people(tmp_path: Path) -> None:
    put(tmp_path, "bounding_box_train/a.jpg", "query/b.jpg", "bounding_box_test/c.jpg")
    assert "has no picture that is named as Market-1501 names them" in refused(str(tmp_path))


def test_paths_at_which_nothing_can_be_read(tmp_path: Path) -> None:
    put(tmp_path, "crops/a/1.jpg", "x.zip")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    for spec in (f"folder:{tmp_path}/crop", f"{tmp_path}/crop\x1b", f"csv:{tmp_path}/crops/no.csv"):
        assert "cannot be found: No such file or directory; name what is there" in refused(spec)
    for spec in ("folder:", "csv:", "torchvision:"):
        assert refused(spec).startswith(f"--data {spec} names nothing; write {spec}")
    for path in ("x.zip", "pipe"):
        assert f"{tmp_path}/{path} is neither a folder nor a table (.csv, .tsv)" in refused(f"{tmp_path}/{path}")
        assert "cannot be read as a folder: Not a directory; folder: wants one" in refused(f"folder:{tmp_path}/{path}")
    assert "Symlink loop" in refused(f"folder:{tmp_path}/loop") or sys.version_info >= (3, 13)
    for bad in ("a\0b", "~nobody-has-this-name/x", "\ud800/x"):
        assert "cannot be found: " in refused(bad)
        assert "cannot be found: " in refused(f"market1501:{bad}")
    assert "or one of the sources folder:, csv:, market1501:" in refused("markt1501:crops")


def test_a_folder_that_may_not_be_read(tmp_path: Path) -> None:
    put(tmp_path, "shut/a/1.jpg").joinpath("shut").chmod(0)
    code = """
from reid_tui.config import DataOptions
from reid_tui.data.folders import sources, table, tree, benchmarks, msmt17
from reid_tui.errors import DataError
become()
from pathlib import Path
for spec in ("", "folder:", "market1501:", "msmt17:", "csv:"):
    sources._there = lambda text, more="": Path(text)
    try:
        sources.listing(DataOptions(data=spec + "shut"), lambda *_: None)
    except DataError as error:
        print(error)
"""
    lines = as_another_user(code, tmp_path).splitlines()
    assert len(lines) == 5
    assert all("Permission denied" in line or "shut is a folder; name the table" in line for line in lines), lines


def test_what_is_a_path_and_what_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(put(tmp_path, "here/x"))
    assert [spec for spec in (*SPECS, "", "there", "nul\0") if sources.is_path(spec)] == []
    paths = ("here", "./there", "~", "a/b", "labels.csv", "folder:x", "torchvision:CIFAR10", "what:ever")
    assert [spec for spec in paths if not sources.is_path(spec)] == []


@pytest.mark.parametrize("kind", sources.SOURCES)
@pytest.mark.parametrize(("option", "users"), [("camera_pattern", "folder: and csv:"), ("image_root", "csv:")])
def test_an_option_of_no_use_is_refused(tmp_path: Path, kind: str, option: str, users: str) -> None:
    spec = f"{kind}:{layout(kind, tmp_path / 'x')}" if sources.SOURCES[kind].by_path else f"{kind}:Omniglot"
    if f"{kind}:" in users:
        return
    with pytest.raises(UsageError) as error:
        sources.listing(DataOptions(data=spec, **{option: "(x)"}), quiet)
    name = option.replace("_", "-")
    assert str(error.value) == f"--{name} is of no use to {kind}:, only to {users}; leave it out"


def test_a_source_is_one_function_and_one_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def pairs(place: str, options: DataOptions, report: object) -> Listing:
        pictures = tuple(Picture(f"{n}.png", str(n // 2), None, UNDIVIDED, 0, 0) for n in range(4))
        return Listing(f"pairs:{place}", "pairs", "pairs", Path(place), pictures)

    monkeypatch.setitem(sources.SOURCES, "pairs", sources.Source(pairs, "every two files show one identity"))
    assert sources.is_path("pairs:x")
    assert [identity for _, identity, _, _ in brief(listed(f"pairs:{tmp_path}"))] == ["0", "0", "1", "1"]
    with pytest.raises(UsageError, match="--image-root is of no use to pairs:"):
        listed(f"pairs:{tmp_path}", image_root="x")


def test_the_table_says_what_there_is() -> None:
    assert all(name in sources.SOURCES["torchvision"].help for name in torchvision_files.NAMES)
    assert all("\n" not in source.help and len(source.help) < 80 for source in sources.SOURCES.values())


def test_the_table_is_read_without_what_lists() -> None:
    code = """
import sys
from reid_tui.data.folders import sources
assert sources.is_path("folder:x") and sources.SOURCES["csv"].help
heavy = {"numpy", "torch", "torchvision", "PIL", "csv", "platformdirs", "reid_tui.data.folders.tree"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_source_that_the_docs_add(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from reid_tui.data.folders import listing as listings
    from reid_tui.data.folders import sources, walk
    from reid_tui.data.pool import UNDIVIDED

    page = (Path(__file__).parents[3] / "docs" / "your-own-images.md").read_text()
    example = page[page.index("```python\n") + 10 :]
    monkeypatch.setattr(sources, "SOURCES", dict(sources.SOURCES))
    names = {**vars(listings), **vars(sources), "walk": walk.walk, "Path": Path, "UNDIVIDED": UNDIVIDED}
    code = "from __future__ import annotations\n" + example[: example.index("```")]
    exec(compile(code, "your-own-images.md", "exec"), names)
    for name in ("heron-17_2024-05-01.jpg", "heron-17_2024-05-02.jpg", "owl-3_2024-05-01.png"):
        (tmp_path / name).write_bytes(b"x")
    found = sources.listing(DataOptions(data=f"birds:{tmp_path}"), lambda *_: None)
    assert [picture.identity for picture in found.pictures] == ["heron-17", "heron-17", "owl-3"]
