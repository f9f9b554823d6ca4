"""Wrong arguments that try to drive the terminal: each is one harmless line."""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path
from typing import Final

import pytest

from reid_tui.cli import main as cli
from tests.escapes import taken_apart
from tests.hostile import HOSTILE

LOADING: Final = ("starting torch", "looking for the data", "waiting for torch")


@pytest.mark.slow
@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize(
    "argv",
    [
        ["train", "--name", "{}"],
        ["train", "--resume", "{}"],
        ["train", "--replay", "{}"],
        ["train", "--runs-dir", "/dev/null/{}"],
        ["train", "--data", "{}"],
        ["train", "--device", "{}"],
        ["train", "--margin", "{}"],
        ["train", "--progress", "{}"],
        ["train", "--{}"],
        ["train", "--data", "mnist", "--data-dir", "{}"],
        ["data", "{}"],
        ["data", "mnist", "--data-dir", "{}"],
        ["runs", "--runs-dir", "{}"],
        ["runs", "--runs-dir", "/dev/null/{}"],
        ["runs", "rm", "{}"],
        ["eval", "{}"],
        ["eval", "latest", "--save", "{}"],
        ["eval", "--embeddings", "{}"],
        ["attach", "{}"],
        ["attach", "--runs-dir", "{}"],
        ["--glyphs", "{}"],
        ["{}"],
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("text", HOSTILE)
def test_an_error_is_one_harmless_line(
    argv: list[str],
    text: str,
    debug: bool,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = text.replace("\ud800", "")  # no argument holds it
    monkeypatch.chdir(tmp_path)
    with contextlib.suppress(OSError):  # the longest is no file's name
        Path(text).parent.mkdir(parents=True, exist_ok=True)
        Path(text).touch()
    for command in ("dashboard", "attach"):
        monkeypatch.setattr(f"reid_tui.cli.{command}.check_terminal", lambda _: None)
    monkeypatch.setattr("reid_tui.launch.tethered", lambda show, *_: show(None))  # no fork of the test itself
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [*root.handlers])
    code = cli.run([word.format(text) for word in argv] + ["--debug"] * debug)
    told = capsys.readouterr()
    err = [line for line in told.err.splitlines() if line not in LOADING]
    assert (code, told.out) in ((2, ""), (0, "")), told
    assert debug or len(err) == 1
    assert err[-1].startswith("reid-tui: ")
    sent = taken_apart(told.err.encode(errors="surrogatepass"))
    assert sent.kinds == {"0x0a"}
    assert not sent.invisible
    assert "[bold]" not in text or "[bold][@click" in sent.text
