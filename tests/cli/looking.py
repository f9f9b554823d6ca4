"""Commands on a network of shades, in this process, in a folder of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from reid_tui.cli.main import run
from reid_tui.using import model as opened
from tests.using.shades import Shades, shade, shades_model


class Commands:
    """Runs a command on the network."""

    def __init__(self, capsys: pytest.CaptureFixture[str], network: Shades) -> None:
        self.network, self._capsys = network, capsys

    def __call__(self, command: str, *words: str | Path) -> tuple[int, str, str]:
        """Exit code, stdout and stderr."""
        code = run([command, "latest", *map(str, words)])
        return (code, *self._capsys.readouterr())

    def refused(self, command: str, *words: str | Path) -> str:
        """The one line of a command that was refused."""
        code, out, err = self(command, *words)
        assert (code, out, err.count("\n")) == (2, "", 1), err
        return err

    @property
    def computed(self) -> int:
        """Pictures that went through the network."""
        return sum(self.network.batches)


def commands_in(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Commands:
    """Ann in shades 9, 15, 30, Bob in 99, 105, 120, and somebody in 12: `shop` and `who.png` in the current folder."""
    network = Shades()
    monkeypatch.setattr(opened, "open_model", lambda *_, **__: shades_model(network))
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "home"))
    (folder / "here").mkdir()
    monkeypatch.chdir(folder / "here")
    for number, value in enumerate((9, 15, 30)):
        shade(Path(f"shop/ann/{number}.png"), value)
        shade(Path(f"shop/bob/{number}.png"), value + 90)
    shade(Path("who.png"), 12)
    return Commands(capsys, network)
