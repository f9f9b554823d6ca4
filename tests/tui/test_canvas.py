"""Lines of charts become strips, and rows that did not change are not made again."""

from __future__ import annotations

import pytest
from rich.console import Console
from rich.style import Style
from rich.text import Text
from textual.strip import Strip
from textual.widget import Widget

from reid_tui.tui.widgets.canvas import segments
from tests.tui.rig import dashboard

BASE = Style.parse("#f0f0f0 on #101010")


@pytest.mark.parametrize(
    "line",
    [
        "plain",
        "\x1b[38;2;1;2;3mtrue\x1b[0m plain",
        "a\x1b[1;38;5;3mb\x1b[0;7;31mc\x1b[0m",
        "\x1b[31ma\x1b[1mb\x1b[0mc\x1b[0;1;44mcd  ",
        "\x1b[mz\x1b[0m",
        "\x1b[48;5;17;38;5;200m日本\x1b[0m",
    ],
)
def test_colours_are_read_as_rich_reads_them(line: str) -> None:
    expected = Strip(Text.from_ansi(line, no_wrap=True, end="").render(Console(), end="")).apply_style(BASE)
    assert Strip(segments(line, BASE)).simplify() == expected.simplify()


async def test_only_what_changed_is_asked_for_its_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    async with dashboard() as rig:
        await rig.until(lambda: "0.812" in rig.text)
        asked: list[Widget] = []
        render = Widget.render_lines
        monkeypatch.setattr(Widget, "render_lines", lambda self, crop: asked.append(self) or render(self, crop))
        rig.text  # noqa: B018 - has all be rendered
        asked.clear()
        loss = rig.panel("loss").canvas
        loss.show(["another", *loss.text.split("\n")[1:]])
        assert "another" in rig.text
        assert set(asked) <= {loss, rig.main, rig.main.area, rig.main.query_one("#too-small")}
        rig.app.theme = "nord"
        await rig.until(lambda: loss in asked and rig.panel("log") in asked)
