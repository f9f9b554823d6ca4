from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from reid_tui.config import RunOptions
from reid_tui.errors import UsageError
from reid_tui.opening.loading import Loading
from reid_tui.training.channels import CommandBox


def test_a_current_folder_that_was_removed_is_left_unless_something_in_it_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one, importing torch ends the process."""
    with contextlib.ExitStack() as resources:
        loading = Loading(lambda _: None, CommandBox(), resources)
        gone = tmp_path / "gone"
        gone.mkdir()
        monkeypatch.chdir(gone)
        loading.start_torch(RunOptions())
        assert Path.cwd() == gone
        gone.rmdir()
        with pytest.raises(UsageError, match="--runs-dir 'runs' lies in a folder that was removed"):
            loading.start_torch(RunOptions())
        with pytest.raises(UsageError, match="--data-dir 'd' lies in a folder that was removed"):
            loading.start_torch(RunOptions(resume=str(tmp_path), data_dir="d"))
        with pytest.raises(FileNotFoundError):
            Path.cwd()
        loading.start_torch(RunOptions(resume=str(tmp_path)))
        assert Path.cwd() == Path("/")
