"""Data folders and sets, with small stand-ins for the files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from reid_tui.doctor.data_sets import data_rows
from reid_tui.doctor.rows import Row
from tests.data.conftest import TINY_NAMES, Tiny
from tests.data.conftest import tiny_files as tiny_files


def found(data_dir: str | None, files: Tiny) -> list[Row]:
    return list(data_rows(data_dir, [files.source]))


def test_whole_wherever_it_lies(tiny_files: Tiny, tmp_path: Path) -> None:
    tiny_files.put(tmp_path / "mine")
    folders, whole = found(str(tmp_path / "mine"), tiny_files)
    assert folders.status == "ok"
    assert str(tmp_path / "user") in folders.text
    assert whole == Row("fashion-mnist", "ok", f"whole, in {tmp_path / 'mine'}")


@pytest.mark.parametrize(("names", "text"), [((), "not here"), (TINY_NAMES[:3], f"not here: {TINY_NAMES[3]}")])
def test_what_is_not_here_is_fetched_later(names: tuple[str, ...], text: str, tiny_files: Tiny) -> None:
    tiny_files.put(tiny_files.system, names=names)
    note = found(None, tiny_files)[-1]
    assert (note.status, note.text) == ("note", text)
    assert "--data pedestrians" in note.remedy
    other = list(data_rows(None, [replace(tiny_files.source, name="mnist")]))[-1]
    assert other == Row("mnist", "ok", f"{text}; fetched when a run asks for it")


def test_a_damaged_file_is_a_problem(tiny_files: Tiny) -> None:
    (tiny_files.put(tiny_files.system, packed=False) / TINY_NAMES[1]).write_bytes(b"half")
    damaged = found(None, tiny_files)[-1]
    assert damaged.status == "problem"
    assert "is damaged" in damaged.text
    assert damaged.remedy.startswith("remedy: delete this file") or damaged.remedy.startswith("delete this file")


def test_a_folder_that_was_named_must_be_there(
    tiny_files: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = found(str(tmp_path / "nowhere"), tiny_files)[0]
    assert (named.status, named.text) == ("problem", f"cannot read {tmp_path / 'nowhere'}: No such file or directory")
    (tmp_path / "file").write_text("")
    (file,) = found(str(tmp_path / "file"), tiny_files)
    assert (file.status, file.remedy) == ("problem", "name the folder that holds the files")
    monkeypatch.setenv("REID_TUI_DATA", str(tmp_path / "unset"))
    assert "REID_TUI_DATA" in found(None, tiny_files)[0].remedy


def test_without_a_home_there_is_no_place_for_what_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reid_tui.data.idx.locate.user_folder", list)
    monkeypatch.setattr("reid_tui.doctor.data_sets.user_folder", list)
    monkeypatch.delenv("REID_TUI_DATA", raising=False)
    first, *_ = data_rows(None)
    assert first.status == "note"
    assert "--data-dir" in first.remedy
    assert "None" not in "".join(row.text + row.remedy for row in data_rows(None))
