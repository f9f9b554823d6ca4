"""Files of embeddings, as those who read them want them."""

from __future__ import annotations

import csv
import dataclasses
import stat
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reid_tui.errors import ReidTuiError, UsageError
from reid_tui.evaluation.labels import DISTRACTOR, GALLERY, JUNK, QUERY
from reid_tui.using import embedding_files
from reid_tui.using.embedding_files import ENDINGS, planned, write
from reid_tui.using.gallery import Gallery, open_gallery
from reid_tui.using.given import read_given
from reid_tui.using.model import Model
from reid_tui.using.output import check_new
from tests.using.conftest import EACH, PEOPLE
from tests.using.places import options, quiet


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))


@pytest.fixture
def gallery(trained_model: Model, people: Path) -> Gallery:
    return open_gallery(trained_model, options(people, camera_pattern=r"^c(\d)"), quiet, label="SPEC")


@pytest.fixture
def divided(gallery: Gallery) -> Gallery:
    """With roles, a distractor, and somebody who is not known."""
    identities = (None, *gallery.pictures.identities[1:-1], None)
    roles = np.array([GALLERY, QUERY, QUERY + GALLERY, *([GALLERY] * (len(gallery) - 4)), QUERY], np.int8)
    return dataclasses.replace(
        gallery, pictures=dataclasses.replace(gallery.pictures, identities=identities, roles_N=roles)
    )


def test_npz(trained_model: Model, gallery: Gallery, tmp_path: Path) -> None:
    write(tmp_path / "x.npz", gallery, trained_model.card)
    with np.load(tmp_path / "x.npz", allow_pickle=False) as found:
        assert set(found) == {"embeddings", "identities", "identity_names", "cameras", "camera_names", "paths"}
        assert found["embeddings"].dtype == np.float32
        assert found["identities"].dtype == found["cameras"].dtype == np.int64
        assert np.array_equal(found["embeddings"], gallery.embeddings_ND)
        assert found["identity_names"][found["identities"]].tolist() == list(gallery.pictures.identities)
        assert found["camera_names"][found["cameras"]].tolist() == list(gallery.pictures.cameras)
        assert found["paths"].tolist() == list(gallery.pictures.paths)
        assert found["identities"].min() == 1
    assert stat.S_IMODE((tmp_path / "x.npz").stat().st_mode) == 0o600


def test_roles_distractors_and_who_is_not_known(trained_model: Model, divided: Gallery, tmp_path: Path) -> None:
    write(tmp_path / "x.npz", divided, trained_model.card)
    with np.load(tmp_path / "x.npz", allow_pickle=False) as found:
        assert found["roles"][:4].tolist() == ["gallery", "query", "both", "gallery"]
        assert found["identities"][[0, -1]].tolist() == [0, -1]
    write(tmp_path / "x.csv", divided, trained_model.card)
    rows = list(csv.DictReader((tmp_path / "x.csv").read_text().splitlines()))
    assert [row["role"] for row in rows[:4]] == ["gallery", "query", "both", "gallery"]
    assert [rows[0]["identity"], rows[-1]["identity"]] == ["0", "-1"]


def test_csv_holds_every_digit(trained_model: Model, gallery: Gallery, tmp_path: Path) -> None:
    write(tmp_path / "x.csv", gallery, trained_model.card)
    header, *rows = csv.reader((tmp_path / "x.csv").read_text().splitlines())
    assert header[:5] == ["path", "identity", "camera", "role", "d0"]
    assert len(header) == 4 + trained_model.card.embedding_dim
    assert np.array_equal(np.array([row[4:] for row in rows], dtype=np.float32), gallery.embeddings_ND)
    assert [row[2] for row in rows] == list(gallery.pictures.cameras)
    assert [row[0] for row in rows] == list(gallery.pictures.paths)
    assert len({row[1] for row in rows}) == PEOPLE


def test_what_the_projector_reads(trained_model: Model, gallery: Gallery, tmp_path: Path) -> None:
    files = planned(tmp_path / "x.tsv")
    write(files[0], gallery, trained_model.card)
    assert [file.name for file in files] == ["x.tsv", "x_metadata.tsv", "x_sprite.png", "projector_config.pbtxt"]
    assert sorted(tmp_path.glob("*.*")) == sorted(files)
    assert np.array_equal(np.loadtxt(files[0], delimiter="\t", dtype=np.float32), gallery.embeddings_ND)
    header, *rows = csv.reader(files[1].read_text().splitlines(), delimiter="\t")
    assert header == ["picture", "identity", "camera"]
    assert [row[1] for row in rows] == list(gallery.pictures.identities)
    with Image.open(files[2]) as image:
        sheet = np.asarray(image)
    across = 5
    assert across**2 >= PEOPLE * EACH > (across - 1) ** 2
    assert sheet.shape == (64 * 5, 32 * across, 3)
    place = 7
    tile = sheet[64 * (place // across) :, 32 * (place % across) :][:64, :32]
    assert np.array_equal(tile.transpose(2, 0, 1), gallery.pictures.image(place, trained_model.card))
    assert not sheet[64 * 4 :, 32 * 4 :].any()
    assert 'image_path: "x_sprite.png"\n    single_image_dim: 32\n    single_image_dim: 64' in files[3].read_text()


def test_a_sprite_has_a_largest_size(
    trained_model: Model, gallery: Gallery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedding_files, "LARGEST_SPRITE", 100)
    write(tmp_path / "x.tsv", gallery, trained_model.card)
    with Image.open(tmp_path / "x_sprite.png") as image:
        assert image.size == (20 * 5, 20 * 5)
    assert "single_image_dim: 20\n    single_image_dim: 20" in (tmp_path / "projector_config.pbtxt").read_text()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("x.txt", "-o must end in .npz, .csv, .tsv, not 'x.txt'"),
        ("x", "-o must end in"),
        ("no/x.npz", "there is no folder no; make it first"),
        ("there.npz", "there.npz is there already; name another file, or replace it with --force"),
        ("beside.tsv", "beside_sprite.png is there already; name a file in another folder"),
        ("folder.npz", "is a folder"),
    ],
)
def test_files_that_cannot_be_are_refused_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("there.npz").touch()
    Path("beside_sprite.png").touch()
    Path("folder.npz").mkdir()
    with pytest.raises(UsageError) as caught:
        check_new(planned(Path(name)), ENDINGS, force=False)
    assert words in str(caught.value)
    if "already" in words:
        check_new(planned(Path(name)), ENDINGS, force=True)


def test_a_file_that_cannot_be_written_leaves_what_was_there(
    trained_model: Model, gallery: Gallery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x.npz").write_text("before")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("reid_tui.files.write_all", full)
    with pytest.raises(ReidTuiError, match=r"x\.npz cannot be written: No space left on device; free some space"):
        write(tmp_path / "x.npz", gallery, trained_model.card)
    assert (tmp_path / "x.npz").read_text() == "before"
    assert list(tmp_path.glob("*.*")) == [tmp_path / "x.npz"]


@pytest.mark.parametrize("ending", [".npz", ".csv"])
@pytest.mark.parametrize("kind", ["plain", "divided"])
def test_what_is_written_is_read_to_be_scored(
    request: pytest.FixtureRequest, trained_model: Model, tmp_path: Path, ending: str, kind: str
) -> None:
    gallery: Gallery = request.getfixturevalue("gallery" if kind == "plain" else kind)
    write(tmp_path / f"x{ending}", gallery, trained_model.card)
    given = read_given(tmp_path / f"x{ending}", market=True, report=quiet)
    assert np.array_equal(given.embeddings_ND, gallery.embeddings_ND)
    labels = given.labels
    known = np.array([identity is not None for identity in gallery.pictures.identities])
    assert np.array_equal(labels.identities_N >= 0, known)
    _, expected = np.unique(np.array(gallery.pictures.identities)[known], return_inverse=True)
    _, found = np.unique(labels.identities_N[known], return_inverse=True)
    assert np.array_equal(found, expected)
    assert labels.cameras_N is not None
    if kind == "divided":
        assert labels.identities_N[[0, -1]].tolist() == [DISTRACTOR, JUNK]
        assert labels.roles_N is not None
        assert np.array_equal(labels.roles_N, gallery.pictures.roles_N)
    else:
        assert labels.roles_N is None
