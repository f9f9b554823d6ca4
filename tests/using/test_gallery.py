"""Galleries: which pictures are meant, what is kept of them, and that nothing else is touched."""

from __future__ import annotations

import csv
import dataclasses
import os
import shutil
import stat
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reid_tui.data import catalog
from reid_tui.data.dataset import Dataset, ImageSet, fingerprint
from reid_tui.data.folders import cache
from reid_tui.errors import DataError, ReidTuiError
from reid_tui.evaluation.labels import GALLERY, QUERY
from reid_tui.using import kept_embeddings
from reid_tui.using.gallery import Gallery, open_gallery
from reid_tui.using.kept_embeddings import Kept
from reid_tui.using.listed import pictures
from reid_tui.using.model import Model
from reid_tui.using.pictures import read_picture
from tests.hostile import HOSTILE
from tests.using.conftest import EACH, PEOPLE, snapshot
from tests.using.places import counted, options, quiet


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of its own for each test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def own(people: Path, tmp_path: Path) -> Path:
    """Pictures that a test may change."""
    return shutil.copytree(people, tmp_path / "own")


def opened(model: Model, place: object, **more: object) -> Gallery:
    return open_gallery(model, options(place), quiet, label="GALLERY", **more)  # type: ignore[arg-type]


def short(gallery: Gallery) -> list[str]:
    return [gallery.pictures.name(place) for place in range(len(gallery))]


def kept(home: Path) -> list[Path]:
    return [path for path in home.glob("reid-tui/pictures/*/embeddings/*") if path.is_file()]


def put(path: Path, color: tuple[int, int, int]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (32, 64), color).save(path)
    return path


def test_a_folder_of_identities(trained_model: Model, people: Path) -> None:
    gallery = opened(trained_model, people)
    files = sorted(people.rglob("*.png"))
    assert list(gallery.pictures.paths) == list(map(str, files))
    assert list(gallery.pictures.identities) == [file.parent.name for file in files]
    assert gallery.embeddings_ND.dtype == np.float32
    np.testing.assert_allclose(gallery.embeddings_ND, trained_model.embed(files), atol=1e-5)


def test_any_picture_below_a_folder_that_is_not_labelled(trained_model: Model, people: Path, tmp_path: Path) -> None:
    files = sorted(people.rglob("*.png"))
    places = ("1.png", "deep/er/2.png", "deep/3.png", ".hidden/4.png", "deep/.5.png", "__MACOSX/6.png")
    for file, place in zip(files, places, strict=False):
        (tmp_path / "heap" / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, tmp_path / "heap" / place)
    (tmp_path / "heap/notes.txt").write_text("no picture")
    gallery = opened(trained_model, tmp_path / "heap")
    assert short(gallery) == ["1.png", "deep/3.png", "deep/er/2.png"]
    assert gallery.pictures.identities == (None, None, None)
    assert any(note.startswith("4 files are passed over") for note in gallery.notes)


def test_loose_pictures_beside_folders_of_identities_stay_without_one(trained_model: Model, own: Path) -> None:
    shutil.copy(own / "person-0/c1_0.png", own / "loose.png")
    gallery = opened(trained_model, own)
    assert len(gallery) == PEOPLE * EACH + 1
    assert gallery.pictures.identities[short(gallery).index("loose.png")] is None
    assert opened(trained_model, own, labelled=False).pictures.identities == (None,) * len(gallery)


def test_one_identity_is_enough(trained_model: Model, people: Path) -> None:
    assert set(opened(trained_model, f"folder:{people}").pictures.identities) > {"person-0"}
    assert len(opened(trained_model, people / "person-0")) == EACH


def test_one_picture_keeps_nothing(trained_model: Model, people: Path, home: Path) -> None:
    file = next(people.rglob("*.png"))
    gallery = opened(trained_model, file)
    assert gallery.pictures.paths == (str(file),)
    np.testing.assert_allclose(gallery.embeddings_ND, trained_model.embed([file]), atol=1e-5)
    assert not home.exists()


def test_a_table_with_boxes(trained_model: Model, people: Path, tmp_path: Path) -> None:
    file = next(people.rglob("*.png"))
    rows = [("path", "identity", "camera", "box"), (file, "a", "1", "0,0,32,64"), (file, "b", "2", "4,8,16,32")]
    with (tmp_path / "labels.csv").open("w") as table:
        csv.writer(table).writerows(rows)
    gallery = opened(trained_model, tmp_path / "labels.csv")
    assert gallery.pictures.identities == ("a", "b")
    assert gallery.pictures.cameras == ("1", "2")
    assert short(gallery) == [f"{file} [0,0,32,64]", f"{file} [4,8,16,32]"]


def test_of_a_split_only_what_is_asked_for(trained_model: Model, tmp_path: Path) -> None:
    for number, place in enumerate(("train/a/1.png", "query/b/2.png", "gallery/b/3.png", "gallery/c/4.png")):
        put(tmp_path / "set" / place, (number * 60, 0, 0))
    asked = opened(trained_model, tmp_path / "set", role=QUERY)
    answering = opened(trained_model, f"folder:{tmp_path / 'set'}", role=GALLERY)
    assert (short(asked), short(answering)) == (["query/b/2.png"], ["gallery/b/3.png", "gallery/c/4.png"])
    assert len(opened(trained_model, tmp_path / "set")) == 3
    assert "2 pictures of another part of the split are left out" in answering.notes


def test_a_data_set_by_name(trained_model: Model, people: Path, monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    images = np.stack([read_picture(file, trained_model.card) for file in sorted(people.rglob("*.png"))])
    labels = np.repeat(np.arange(PEOPLE), EACH).astype(np.int64)
    part = ImageSet(np.ascontiguousarray(images), labels, labels % 2)
    names = tuple(f"P{label}" for label in range(PEOPLE))
    dataset = Dataset("pedestrians", part, part, names, names, "made", unseen=False, fingerprint=fingerprint(part))
    monkeypatch.setitem(catalog.LOADERS, "pedestrians", lambda _: dataset)
    gallery = opened(trained_model, "pedestrians")
    assert short(gallery)[:2] == ["pedestrians/0", "pedestrians/1"]
    assert gallery.pictures.identities[::EACH] == names
    assert gallery.pictures.cameras[:: 2 * EACH] == ("1",) * (PEOPLE // 2)
    files = opened(trained_model, people)
    assert np.array_equal(files.pictures.digests_N, gallery.pictures.digests_N)
    assert np.array_equal(files.embeddings_ND, gallery.embeddings_ND)


def _odd_pictures(root: Path, people: Path) -> None:
    """Of many modes and sizes."""
    root.mkdir()
    image = Image.open(next(people.rglob("*.png"))).resize((50, 90))
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(root / "turned.jpg", exif=exif)
    image.resize((900, 1600)).save(root / "large.jpg")
    image.convert("L").save(root / "grey.png")
    image.convert("P").save(root / "palette.gif")
    image.convert("1").save(root / "black-and-white.png")
    clear = image.convert("RGBA")
    clear.putalpha(image.convert("L"))
    clear.save(root / "transparent.png")
    Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 200).save(root / "sixteen-bit.png")
    image.resize((32, 64)).save(root / "right-size.bmp")


@pytest.mark.parametrize("channels", [1, 3])
def test_pixels_are_those_of_a_picture_read_alone(
    trained_model: Model, people: Path, tmp_path: Path, channels: int
) -> None:
    _odd_pictures(tmp_path / "odd", people)
    card = dataclasses.replace(trained_model.card, channels=channels)
    found = pictures(options(tmp_path / "odd"), card, quiet, label="GALLERY")
    assert len(found) == 8
    for place, path in enumerate(found.paths):
        alone = pictures(options(path), card, quiet, label="QUERY")
        pixels = found.pixels(np.array([place]), card)[0]
        assert np.array_equal(pixels, read_picture(path, card)), path
        assert np.array_equal(pixels, alone.pixels(np.array([0]), card)[0]), path
        assert np.array_equal(found.digests_N[place], alone.digests_N[0]), path


def test_a_second_start_computes_nothing(trained_model: Model, own: Path, home: Path) -> None:
    model, network = counted(trained_model)
    first = opened(model, own)
    assert network.computed == PEOPLE * EACH
    again = opened(model, own)
    assert network.computed == PEOPLE * EACH
    assert np.array_equal(first.embeddings_ND, again.embeddings_ND)
    file = own / "person-0/c1_0.png"
    os.utime(file, (1, 1))
    opened(model, own)
    assert network.computed == PEOPLE * EACH, "the same pixels at another time"
    put(own / "person-0/new.png", (9, 8, 7))
    shutil.copy(own / "person-1/c1_0.png", own / "person-0/copy.png")
    grown = opened(model, own)
    assert network.computed == PEOPLE * EACH + 1
    files = list(grown.pictures.paths)
    np.testing.assert_allclose(grown.embeddings_ND, trained_model.embed(files), atol=1e-5)
    for path in (home, *home.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_equal_pictures_are_computed_once_and_equal(trained_model: Model, own: Path) -> None:
    for number in range(3):
        shutil.copy(own / "person-0/c1_0.png", own / f"person-1/copy{number}.png")
    model, network = counted(trained_model)
    gallery = opened(model, own)
    assert network.computed == PEOPLE * EACH
    same = [place for place, name in enumerate(short(gallery)) if "copy" in name or name == "person-0/c1_0.png"]
    assert len(np.unique(gallery.embeddings_ND[same], axis=0)) == 1


@pytest.mark.parametrize("damage", ["cut", "empty", "changed", "other", "folder"])
def test_a_damaged_file_is_made_again(trained_model: Model, own: Path, home: Path, damage: str) -> None:
    model, network = counted(trained_model)
    whole = opened(model, own).embeddings_ND
    (file,) = kept(home)
    content = file.read_bytes()
    match damage:
        case "cut":
            file.write_bytes(content[:-50])
        case "empty":
            file.write_bytes(b"")
        case "changed":
            file.write_bytes(content[:-200] + bytes([content[-200] ^ 1]) + content[-199:])
        case "other":
            file.write_bytes(Kept(np.zeros((2, 16), np.uint8), np.zeros((2, 3), np.float32)).encode())
        case "folder":
            file.unlink()
            file.mkdir()
    assert np.array_equal(opened(model, own).embeddings_ND, whole)
    assert network.computed == 2 * PEOPLE * EACH
    if damage != "folder":
        opened(model, own)
        assert network.computed == 2 * PEOPLE * EACH


def test_each_network_has_its_own_and_old_ones_give_way(trained_model: Model, own: Path, home: Path) -> None:
    for number in range(kept_embeddings.MOST_NETWORKS + 2):
        model, network = counted(trained_model)
        model.digest = f"{number:064x}"
        opened(model, own)
        assert network.computed == PEOPLE * EACH
    assert len(kept(home)) == kept_embeddings.MOST_NETWORKS


def test_what_left_the_folder_leaves_the_file(trained_model: Model, own: Path, home: Path) -> None:
    opened(trained_model, own)
    (file,) = kept(home)
    before = file.stat().st_size
    shutil.rmtree(own / "person-0")
    put(own / "person-1/new.png", (1, 2, 3))
    opened(trained_model, own)
    row = 16 + 4 * trained_model.card.embedding_dim
    assert before - file.stat().st_size == (EACH - 1) * row


@pytest.mark.parametrize("labelled", [True, False])
def test_forgetting_a_folder_leaves_no_face_behind(
    trained_model: Model, own: Path, home: Path, *, labelled: bool
) -> None:
    opened(trained_model, own, labelled=labelled)
    assert kept(home)
    assert sum(cache.forget(spec) for spec in catalog.spellings(str(own))) > 0
    assert [path for path in home.rglob("*") if path.is_file()] == []


def test_forgetting_a_benchmark_that_was_looked_through_as_a_folder(
    trained_model: Model, tmp_path: Path, home: Path
) -> None:
    root = tmp_path / "market"
    for number, name in enumerate(("bounding_box_train/0002_c1s1_000451_03.jpg", "query/0001_c1s1_001051_00.jpg")):
        put(root / name, (number * 90, 0, 0))
    put(root / "bounding_box_test/0001_c2s1_001976_01.jpg", (0, 200, 0))
    assert opened(trained_model, root, labelled=False).pictures.identities == (None,) * 3
    assert opened(trained_model, root, role=GALLERY).pictures.identities == ("0001",)
    for spec in catalog.spellings(str(root)):
        cache.forget(spec)
    assert [path for path in home.rglob("*") if path.is_file()] == []


def test_without_a_folder_for_what_is_kept(
    trained_model: Model, own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    gallery = opened(trained_model, own)
    assert len(gallery) == PEOPLE * EACH
    assert any("cannot be used" in note and "at each start" in note for note in gallery.notes)


def test_embeddings_that_cannot_be_written(trained_model: Model, own: Path, home: Path) -> None:
    opened(trained_model, own)
    (file,) = kept(home)
    file.parent.chmod(0o500)
    try:
        other = counted(trained_model)[0]
        other.digest = "0" * 64
        gallery = opened(other, own)
    finally:
        file.parent.chmod(0o700)
    if os.geteuid() != 0:
        assert any(note.startswith("embeddings cannot be kept in") for note in gallery.notes)
    assert len(gallery) == PEOPLE * EACH


def test_writers_at_once_leave_a_whole_file(trained_model: Model, tmp_path: Path) -> None:
    dimensions = trained_model.card.embedding_dim

    def kept_of(rows: int) -> Kept:
        return Kept(np.full((rows, 16), 7, np.uint8), np.full((rows, dimensions), rows, np.float32))

    def write(rows: int) -> None:
        for _ in range(20):
            kept_embeddings.save(tmp_path / "spec", trained_model, kept_of(rows))

    threads = [threading.Thread(target=write, args=(rows,)) for rows in (3, 400)]
    for thread in threads:
        thread.start()
    kept_embeddings.save(tmp_path / "spec", trained_model, kept_of(3))
    seen = set()
    while any(thread.is_alive() for thread in threads):
        found = kept_embeddings.load(tmp_path / "spec", trained_model)
        assert (found.embeddings_ND == len(found.digests_N)).all()
        seen.add(len(found.digests_N))
    assert seen <= {3, 400}
    assert len(list((tmp_path / "spec/embeddings").iterdir())) == 1


def test_unreadable_pictures_are_counted_and_named(trained_model: Model, own: Path) -> None:
    for number in range(20):
        (own / f"person-0/bad{number:02}.png").write_bytes(b"no picture")
    gallery = opened(trained_model, own)
    assert len(gallery) == PEOPLE * EACH
    (note,) = (note for note in gallery.notes if "cannot be read" in note)
    assert note.startswith("20 pictures cannot be read and are left out")
    assert "person-0/bad00.png, person-0/bad01.png, person-0/bad02.png" in note


def test_names_of_any_kind(trained_model: Model, people: Path, tmp_path: Path) -> None:
    file = next(people.rglob("*.png"))
    names = [name.replace("/", "").replace("\ud800", "")[:60] for name in HOSTILE]
    for name in names:
        (tmp_path / "odd" / name).mkdir(parents=True)
        shutil.copy(file, tmp_path / "odd" / name / "1.png")
    gallery = opened(trained_model, tmp_path / "odd")
    assert set(gallery.pictures.identities) == set(names)


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("nowhere", "GALLERY nowhere cannot be found: No such file or directory; name a picture, a folder, or one of"),
        ("", "GALLERY must not be empty"),
        ("empty", "holds no picture"),
        ("bad", "none of the 2 pictures can be read"),
        ("bad/1.png", "no picture of a known format"),
        ("folder:nowhere", "cannot be found"),
        ("a\0b", "cannot be found"),
    ],
)
def test_what_is_no_gallery_is_one_line(
    trained_model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    Path("bad").mkdir()
    for name in ("1.png", "2.png"):
        Path("bad", name).write_bytes(b"no picture at all")
    with pytest.raises(ReidTuiError) as caught:
        opened(trained_model, place)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, DataError) or not place


def test_an_embedding_that_is_not_finite_names_its_picture(trained_model: Model, own: Path, home: Path) -> None:
    model, network = counted(trained_model)
    model.network = lambda images: np.full((len(images), model.card.embedding_dim), np.nan, np.float32)
    with pytest.raises(ReidTuiError, match=r"person-0/c1_0\.png .* not finite"):
        opened(model, own)
    assert network.computed == 0
    assert kept(home) == []


def test_nothing_of_the_users_is_touched(trained_model: Model, people: Path, trained_run: Path) -> None:
    before = snapshot(people), snapshot(trained_run)
    opened(trained_model, people)
    opened(trained_model, people)
    assert (snapshot(people), snapshot(trained_run)) == before


def test_an_end_in_the_middle_need_not_begin_again(
    trained_model: Model, own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reid_tui.using.gallery.CHUNK_BYTES", 5 * 3 * 64 * 32)
    model, network = counted(trained_model)

    def end(text: str, done: int = 0, total: int = 0) -> None:
        if text == "embedding pictures" and done == 15:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        open_gallery(model, options(own), end, label="GALLERY")
    gallery = opened(model, own)
    assert network.computed == PEOPLE * EACH
    np.testing.assert_allclose(gallery.embeddings_ND, trained_model.embed(list(gallery.pictures.paths)), atol=1e-5)


def test_progress_goes_on_over_chunks(trained_model: Model, people: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reid_tui.using.gallery.CHUNK_BYTES", 5 * 3 * 64 * 32)
    told: list[tuple[str, int, int]] = []
    open_gallery(
        trained_model, options(people), lambda text, done=0, total=0: told.append((text, done, total)), label="G"
    )
    steps = [(done, total) for text, done, total in told if text == "embedding pictures"]
    assert steps == [(done, PEOPLE * EACH) for done in range(0, PEOPLE * EACH, 5)]
