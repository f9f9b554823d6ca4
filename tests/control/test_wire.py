from __future__ import annotations

import json
import math
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reid_tui.control.wire import (
    COMMANDS,
    LINE_LIMIT,
    command_from_json,
    command_from_line,
    command_to_json,
    command_to_line,
)
from reid_tui.errors import UsageError
from reid_tui.text import printable
from reid_tui.training import commands as cmd
from reid_tui.training import events as ev

FINITE = st.floats(allow_nan=False, allow_infinity=False)
PLAIN = st.sampled_from([cmd.Pause(), cmd.Resume(), cmd.Step(), cmd.Save(), cmd.Evaluate()])
COMMAND = st.one_of(
    PLAIN,
    st.builds(cmd.SetMargin, FINITE),
    st.builds(cmd.ShiftMargin, FINITE),
    st.builds(cmd.SetLearningRate, FINITE),
    st.builds(cmd.GoBack, st.integers(0, 10**15)),
    st.builds(cmd.Stop, save=st.booleans()),
    st.builds(cmd.EmbedPicture, st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)),
    st.just(cmd.EmbedPicture("\U0001f600" * 1000)),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
NAMED = st.fixed_dictionaries(
    {"command": st.sampled_from(sorted(COMMANDS)) | st.text()},
    optional=dict.fromkeys(("step", "value", "by", "save", "path", "extra"), JSON)
    | {"reason": JSON | st.just("asked")},
)


@given(COMMAND)
def test_a_command_comes_back_equal(command: cmd.Command) -> None:
    assert command_from_json(command_to_json(command)) == command
    line = command_to_line(command)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert len(line) < LINE_LIMIT
    assert command_from_line(line) == command


def test_every_command_has_its_name_on_the_wire() -> None:
    assert list(COMMANDS) == [ev.snake(kind.__name__) for kind in get_args(cmd.Command)]
    assert command_to_json(cmd.SetMargin(1.1)) == {"command": "set_margin", "value": 1.1}
    assert command_to_json(cmd.Stop()) == {"command": "stop", "save": True, "reason": "asked"}
    assert command_from_json({"command": "stop"}) == cmd.Stop()
    margin = command_from_json({"command": "set_margin", "value": 2})
    assert isinstance(margin, cmd.SetMargin)
    assert type(margin.value) is float


@given(JSON | NAMED)
def test_anything_else_is_one_printable_line(value: Any) -> None:
    try:
        command = command_from_json(value)
    except UsageError as error:
        text = str(error)
        assert text == printable(text, 300)
        assert value not in ({"command": name} for name in ("pause", "resume", "step", "save", "evaluate"))
    else:
        assert type(command) is COMMANDS[value["command"]]
        assert value.keys() <= {"command", *command_to_json(command)}
        assert all(math.isfinite(item) for item in command_to_json(command).values() if isinstance(item, float))


@given(st.binary(max_size=200))
def test_any_bytes_are_a_command_or_one_printable_line(line: bytes) -> None:
    try:
        command_from_line(line)
    except UsageError as error:
        text = str(error)
    else:
        text = ""
    assert text == printable(text, 300)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"", "one JSON object a line"),
        (b"\xff\xfe", "UTF-8 text; byte 0"),
        (b'{"command": "pau\xc3"}', "UTF-8 text; byte 16"),
        (b"[" * 4000, "nested too deep|one JSON object"),
        (b'{"a":' * 800, "nested too deep|one JSON object"),
        (b"[]", "not a list"),
        (b'"pause"', "not 'pause'"),
        (b"{}", "one of pause, resume, .* not null"),
        (b'{"command": "Pause"}', "not 'Pause'"),
        (b'{"command": ["pause"]}', "not a list"),
        (b'{"command": "pause", "value": 1}', "pause has no field 'value'; it takes none"),
        (b'{"command": "set_margin", "by": 1}', "no field 'by'; it takes value"),
        (b'{"command": "set_margin"}', "needs the field 'value'"),
        (b'{"command": "set_margin", "value": "1"}', "set_margin's value must be a finite number, not '1'"),
        (b'{"command": "set_margin", "value": true}', "finite number, not true"),
        (b'{"command": "set_margin", "value": null}', "finite number, not null"),
        (b'{"command": "set_margin", "value": NaN}', "finite, not NaN"),
        (b'{"command": "set_margin", "value": -Infinity}', "finite, not -Infinity"),
        (b'{"command": "set_margin", "value": 1e999}', "finite number, not Infinity"),
        (b'{"command": "set_margin", "value": ' + b"9" * 4000 + b"}", "finite number, not a huge number"),
        (b'{"command": "pause", "command": "stop"}', "occurs twice"),
        (b'{"command": "set_margin", "value": 1, "value": 2}', "occurs twice"),
        (b'{"command": "go_back", "step": 1.0}', "go_back's step must be a whole number, not 1.0"),
        (b'{"command": "go_back", "step": true}', "a whole number, not true"),
        (b'{"command": "go_back", "step": -1}', "a whole number, not -1"),
        (b'{"command": "go_back", "step": ' + b"9" * 30 + b"}", "a whole number, not a huge number"),
        (b'{"command": "go_back"}', "needs the field 'step'"),
        (b'{"command": "stop", "save": 1}', "stop's save must be true or false, not 1"),
        (b'{"command": "stop", "reason": "SIGTERM"}', "must be 'asked', not 'SIGTERM'"),
        (b'{"command": "stop", "reason": {}}', "must be 'asked', not an object"),
        (b'{"command": "\\u001b]0;x\\u0007"}', "not '\\\\x1b"),
        (b'{"command": "\\u202epause"}', r"not '\\u202epause'"),
    ],
)
def test_refused(line: bytes, words: str) -> None:
    with pytest.raises(UsageError, match=words) as raised:
        command_from_line(line)
    assert str(raised.value) == printable(str(raised.value), 300)


@pytest.mark.parametrize("command", [cmd.SetMargin(math.nan), cmd.Stop(reason="SIGTERM")])
def test_what_would_be_refused_is_not_written(command: cmd.Command) -> None:
    with pytest.raises(UsageError):
        command_to_line(command)


def test_a_number_too_long_to_print() -> None:
    with pytest.raises(UsageError, match="a huge number"):
        command_from_json({"command": "set_margin", "value": 10**5000})
    assert json.dumps(command_to_json(cmd.Step())) == '{"command": "step"}'
