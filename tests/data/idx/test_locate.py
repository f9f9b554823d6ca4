"""A place that is only one of several to look in is left out where it cannot be looked into."""

from __future__ import annotations

from pathlib import Path

import platformdirs
import pytest

from reid_tui.data.idx.locate import find, places
from reid_tui.data.idx.sets import FASHION_MNIST
from reid_tui.errors import DataError
from tests.another_user import as_another_user
from tests.data.conftest import Tiny


@pytest.mark.slow
@pytest.mark.parametrize("home", [RuntimeError("could not determine the home directory"), Path("~/.local/share/x")])
def test_without_a_home_the_other_places_are_searched(
    home: RuntimeError | Path, tiny_files: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def user_data_path(*_: object, **__: object) -> Path:
        if isinstance(home, RuntimeError):
            raise home
        return home

    monkeypatch.setattr(platformdirs, "user_data_path", user_data_path)
    assert places(None).bases == ()
    with pytest.raises(DataError, match=r"there is no home folder to keep what is fetched; .*with --data-dir"):
        tiny_files.load()
    assert tiny_files.load("auto").name == "pedestrians"
    tiny_files.put(tiny_files.system)
    assert tiny_files.load().source == f"Fashion-MNIST from {tiny_files.system}"
    folder = tiny_files.put(tmp_path / "d")
    assert tiny_files.load(data_dir=folder).source == f"Fashion-MNIST from {folder}"


def test_a_user_without_name_and_home(tmp_path: Path) -> None:
    code = """
from reid_tui.data.idx.locate import places
from reid_tui.data.idx.sets import FASHION_MNIST
become()
print(len(places(None).bases), places("here").folders(FASHION_MNIST)[0])
"""
    assert as_another_user(code, tmp_path) == "0 here\n"


def test_the_environment_is_left_out_where_another_folder_was_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("REID_TUI_DATA", str(tmp_path / "file"))
    assert places(str(tmp_path)).bases[0] == tmp_path
    assert tmp_path / "file" not in places(str(tmp_path)).bases
    with pytest.raises(DataError, match=r"REID_TUI_DATA .* is not a folder"):
        places(None)
    with pytest.raises(DataError, match=r"--data-dir .* is not a folder"):
        places(str(tmp_path / "file"))


def test_a_file_that_may_not_be_read_is_taken_only_where_there_is_no_other(tmp_path: Path) -> None:
    name = FASHION_MNIST.files[0].names[0]
    for folder in ("closed", "shut", "open"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).write_text("")
    (tmp_path / "closed" / name).chmod(0o600)
    (tmp_path / "shut").chmod(0o700)
    code = """
from pathlib import Path
from reid_tui.data.idx.locate import find
from reid_tui.data.idx.sets import FASHION_MNIST
become()
for folders in (("shut", "closed", "open"), ("shut", "closed"), ("shut",)):
    print(find(tuple(map(Path, folders)), FASHION_MNIST.files[0]))
"""
    found = as_another_user(code, tmp_path).split()
    assert found == [f"open/{name}", f"closed/{name}", "None"]
    assert find((tmp_path / "closed",), FASHION_MNIST.files[0]) == tmp_path / "closed" / name
