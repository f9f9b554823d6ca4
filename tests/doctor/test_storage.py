"""The runs folder and its disk, and the extras."""

from __future__ import annotations

from pathlib import Path

import pytest

from reid_tui.doctor.extras import extra_rows
from reid_tui.doctor.storage import disk_row, storage_rows


def test_a_folder_that_can_be_written_to_is_left_as_it_was(tmp_path: Path) -> None:
    folder, disk = storage_rows(tmp_path / "new" / "runs")
    assert (folder.status, disk.topic) == ("ok", "disk")
    assert str(tmp_path / "new" / "runs") in folder.text
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_made_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    folder, disk = storage_rows(tmp_path / "file" / "runs")
    assert (folder.status, folder.remedy) == ("problem", "name another with --runs-dir")
    assert "Not a directory" in folder.text
    assert "are free for runs" in disk.text


@pytest.mark.parametrize(
    ("free", "status"), [(10**9, "ok"), (10**9 - 1, "note"), (10**8, "note"), (10**8 - 1, "problem"), (0, "problem")]
)
def test_free_disk(free: int, status: str) -> None:
    row = disk_row(free)
    assert row.status == status
    assert bool(row.remedy) is (status != "ok")


@pytest.mark.parametrize(
    ("requirement", "gpu", "told"),
    [
        ("rich>=14.2", True, None),
        ("rich>=14.2; extra == 'color'", True, ("extra color", "ok")),
        ("no-such-package>=1; extra == 'gpu'", True, ("extra gpu", "note")),
        ("no-such-package>=1; extra == 'gpu'", False, ("extra gpu", "ok")),
        ('no-such-package>=1 ; python_version < "4" and extra == "export"', False, ("extra export", "note")),
    ],
)
def test_extras(requirement: str, gpu: bool, told: tuple[str, str] | None) -> None:
    found = [(row.topic, row.status) for row in extra_rows(gpu=gpu, requirements=[requirement])]
    assert found == ([told] if told else [])


def test_the_packages_own_extras_are_known() -> None:
    assert "extra gpu" in {row.topic for row in extra_rows(gpu=True)}
