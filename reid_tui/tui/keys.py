"""The one table of keys: bindings, footer, help, command palette and the README are made from it. No Textual."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from reid_tui.tui.layout import PANELS

Group = Literal["training", "panels", "plots", "log", "pairs", "application"]
GROUPS: Final[dict[Group, str]] = {
    "training": "Training",
    "panels": "Panels",
    "plots": "Plots",
    "log": "Log, when focused",
    "pairs": "Pairs, when focused",
    "application": "Application",
}
MARGIN_STEP: Final = 0.05


@dataclass(frozen=True, slots=True)
class Key:
    """One thing that a key does."""

    keys: tuple[str, ...]
    """As Textual names them; a single character stands for itself."""
    label: str
    """As a person reads them."""
    action: str
    """A method of the app, or after `screen.` of its main screen, with its arguments."""
    title: str
    """Two or three words, for the command palette."""
    description: str
    group: Group
    sends: tuple[str, ...] = ()
    """Class names of the commands that may go to the trainer."""
    footer: str = ""
    """A word for the footer; empty: not there."""
    anywhere: bool = False
    """Works in dialogs too."""
    panel: str = ""
    """One of `layout.PANELS`."""
    panel_keys: tuple[str, ...] = ()
    """Further ones, while that panel has the focus."""
    together: tuple[str, str] | None = None
    """Label and description of the one line that the help spends on all keys that have the same."""

    def keys_in(self, panel: str) -> tuple[str, ...]:
        """Those that belong to a panel, or with no name to the app."""
        return self.keys if not panel else self.panel_keys if self.panel == panel else ()


_LINES: Final = ("up, down", "log: a line back or on")
_PAGES: Final = ("page keys", "log: a page back or on")
_ENDS: Final = ("home, end", "log: to its start or end")


def _log(
    keys: tuple[str, ...], label: str, action: str, title: str, description: str, together: tuple[str, str]
) -> Key:
    return Key((), label, action, title, description, "log", panel="log", panel_keys=keys, together=together)


def _cursor(name: str, columns: int, rows: int) -> Key:
    return Key(
        (),
        name,
        f"screen.map_cursor({columns}, {rows})",
        f"Map: {name}",
        f"map: cursor {name}",
        "plots",
        panel="map",
        panel_keys=(name,),
        together=("arrows", "map: move the cursor"),
    )


def _turn(panel: str, what: str, action: str) -> tuple[Key, Key]:
    """The arrows of a panel that shows one thing after the other."""
    together = ("arrows", f"{panel}: another {what}")
    back, on = (
        Key((), label, f"screen.{action}({by})", f"{panel.capitalize()}: {word}", f"{panel}: {word} {what}", "panels",
            panel=panel, panel_keys=keys, together=together)
        for label, by, word, keys in (
            ("left, up", -1, "previous", ("left", "up")),
            ("right, down", 1, "next", ("right", "down")),
        )
    )  # fmt: skip
    return back, on


def _pairs(
    keys: tuple[str, ...], label: str, action: str, title: str, description: str, sends: tuple[str, ...] = ()
) -> Key:
    return Key((), label, action, title, description, "pairs", sends, panel="pairs", panel_keys=keys)


KEYS: Final = (
    Key(
        ("space", "p"),
        "space, p",
        "toggle_pause",
        "Pause or resume",
        "pause / resume",
        "training",
        ("Pause", "Resume"),
        "pause",
    ),
    Key(("n",), "n", "step", "One step", "one step, while paused", "training", ("Step",), "step"),
    Key(
        ("+", "="),
        "+, =",
        f"turn_margin({MARGIN_STEP})",
        "Margin up",
        "margin up by 0.05",
        "training",
        ("ShiftMargin",),
        "margin",
    ),
    Key(
        ("-",),
        "-",
        f"turn_margin(-{MARGIN_STEP})",
        "Margin down",
        "margin down by 0.05",
        "training",
        ("ShiftMargin",),
        "margin",
    ),
    Key(("m",), "m", "type_margin", "Set the margin", "type an exact margin", "training", ("SetMargin",)),
    Key(("M",), "M", "half_margin", "Suggested margin", "margin at which half teach", "training", ("SetMargin",)),
    Key(("r",), "r", "type_lr", "Set the learning rate", "type a learning rate", "training", ("SetLearningRate",)),
    Key(("s",), "s", "save", "Save a checkpoint", "save a checkpoint", "training", ("Save",), "save"),
    Key(("e",), "e", "evaluate", "Evaluate now", "evaluate now", "training", ("Evaluate",)),
    Key(
        ("b",),
        "b",
        "go_back",
        "Go back",
        "go back to a checkpoint",
        "training",
        ("GoBack",),
        "back",
    ),
    *(
        Key(
            (digit,),
            digit,
            f"screen.panel({name!r})",
            name.capitalize(),
            f"show or hide the {name}",
            "panels",
            together=(f"1 to {len(PANELS)}", "show or hide a panel"),
        )
        for digit, name in zip("123456789", PANELS, strict=False)
    ),
    Key(("0",), "0", "screen.reset_panels", "Reset panels", "panels as at the start", "panels"),
    Key(("tab",), "tab", "focus_next", "Next panel", "focus the next panel", "panels"),
    Key(("shift+tab",), "shift+tab", "focus_previous", "Previous panel", "focus the panel before", "panels"),
    Key(("z",), "z", "screen.zoom", "Zoom", "zoom the panel, and back", "panels", (), "zoom"),
    Key(("escape",), "esc", "screen.back", "Back", "leave cursor, zoom, class", "panels"),
    *_turn("retrieval", "query", "next_query"),
    Key(("/",), "/", "ask_query", "Retrieval: ask", "retrieval: type a query", "panels", ("EmbedPicture",)),
    *_turn("classes", "pair", "next_overlap"),
    Key(("]",), "]", "screen.highlight(1)", "Next class", "next class", "plots"),
    Key(("[",), "[", "screen.highlight(-1)", "Previous class", "class before", "plots"),
    Key(("t",), "t", "screen.trails", "Trails", "trails of the classes", "plots"),
    _cursor("left", -1, 0),
    _cursor("right", 1, 0),
    _cursor("up", 0, -1),
    _cursor("down", 0, 1),
    Key(("y",), "y", "screen.log_axis", "Logarithmic loss", "logarithmic loss axis", "plots"),
    Key(("w",), "w", "screen.smoothing", "Smoothing", "more smoothing, then less", "plots"),
    _log(("up", "k"), "up, k", "screen.log_lines(-1)", "Log: older", "log: a line back", _LINES),
    _log(("down", "j"), "down, j", "screen.log_lines(1)", "Log: newer", "log: a line on", _LINES),
    _log(("pageup",), "page up", "screen.log_pages(-1)", "Log: page back", "log: a page back", _PAGES),
    _log(("pagedown",), "page down", "screen.log_pages(1)", "Log: page on", "log: a page on", _PAGES),
    _log(("home", "g"), "home, g", "screen.log_pages(-1000)", "Log: start", "log: to its start", _ENDS),
    _log(("end", "G"), "end, G", "screen.log_pages(1000)", "Log: end", "log: to its end", _ENDS),
    _pairs(("right",), "right", "screen.pairs_turn(1)", "Pairs: next", "pairs: the next one"),
    _pairs(("left",), "left", "screen.pairs_turn(-1)", "Pairs: previous", "pairs: the one before"),
    _pairs(("up", "down"), "up, down", "screen.pairs_kind", "Pairs: kind", "pairs: same, different"),
    _pairs(("x",), "x", "app.ask('suspect')", "Suspect a label", "pairs: A, B, none suspect", ("MarkSuspect",)),
    _pairs(("h",), "h", "app.ask('explain')", "Deciding parts", "pairs: which parts decide", ("Explain",)),
    _pairs(("t",), "t", "app.ask('train')", "Training images", "pairs: training images, back", ("ShowTraining",)),
    _pairs(("o",), "o", "app.ask('leave_out')", "Leave suspects out", "pairs: train without suspects", ("LeaveOut",)),
    Key(("S",), "S", "picture", "Picture", "picture of the screen", "application"),
    Key(("?", "f1"), "?, F1", "help", "Help", "this help", "application", (), "help"),
    Key(("ctrl+p",), "ctrl+p", "command_palette", "Commands", "command palette", "application"),
    Key(("d",), "d", "detach", "Detach", "detach: training goes on", "application"),
    Key(("X",), "X", "stop", "Stop the run", "stop the run, after asking", "application", ("Stop",)),
    Key(
        ("q", "ctrl+q", "ctrl+c"),
        "q, ctrl+q, ctrl+c",
        "quit",
        "Quit",
        "quit: save and quit, quit, cancel",
        "application",
        ("Stop",),
        "quit",
        anywhere=True,
    ),
)


def markdown_table() -> str:
    """The table of keys as the README shows it."""
    rows = [f"| {_code(key)} | {key.description} |" for key in KEYS]
    return "\n".join(["| key | action |", "| --- | --- |", *rows])


def _code(key: Key) -> str:
    return ", ".join(f"`{part}`" for part in key.label.split(", "))
