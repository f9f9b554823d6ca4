"""The table and the JSON, and one examination of the machine that the tests run on."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from reid_tui.console import console_on
from reid_tui.doctor import report
from reid_tui.doctor.report import print_rows, run_doctor, to_json, told
from reid_tui.doctor.rows import Row, from_error
from reid_tui.errors import DataError
from tests.hostile import HOSTILE

LONG = "a remedy that is told in many words, " * 4
ROWS = [
    Row("python", "ok", "3.11"),
    Row("threads", "note", "64 on 4", LONG.strip()),
    Row("runs folder", "problem", f"/{'deep/' * 40}", "name another"),
]


def printed(width: int, rows: list[Row] = ROWS, *, terminal: bool = True) -> str:
    out = io.StringIO()
    on_terminal = Console(file=out, width=width, force_terminal=True, highlight=False, no_color=True)
    print_rows(on_terminal if terminal else console_on(out), rows)
    return out.getvalue()


def test_on_a_terminal_all_of_it_fits_and_status_is_a_word() -> None:
    text = printed(80)
    lines = [line.rstrip() for line in text.replace("\x1b[1m", "").replace("\x1b[0m", "").splitlines()]
    assert max(map(len, lines)) <= 80
    assert [line.split()[-2 if "folder" in line else 1] for line in lines if line[0] != " "][:2] == ["ok", "note"]
    assert "".join(lines).replace(" ", "").count("deep/") == 40
    assert lines[-1] == "1 problem, 1 note"


def test_in_a_pipe_nothing_is_folded_or_coloured() -> None:
    text = printed(80, terminal=False)
    assert "\x1b" not in text
    assert f"remedy: {LONG.strip()}" in text
    assert f"problem  /{'deep/' * 40}" in text
    assert not [line for line in text.splitlines() if line.endswith(" ")]


@pytest.mark.parametrize("width", [1, 5, 20, 40, 200])
def test_any_width(width: int) -> None:
    assert "problem" in printed(width).replace("\n", "") or width < 20


@pytest.mark.parametrize("text", HOSTILE)
def test_what_a_machine_says_cannot_drive_the_terminal(text: str) -> None:
    rows = [Row(text, "problem", text, text)]
    shown = printed(4000, rows, terminal=False)
    assert not {c for c in shown if c < " " or "\x7f" <= c <= "\x9f"} - {"\n"}
    assert shown.count("\n") == 3
    answer = to_json(rows)
    assert answer.isascii()
    assert "\x7f" not in answer
    assert all(value.isprintable() for value in json.loads(answer)["rows"][0].values())


def test_json() -> None:
    assert json.loads(to_json(ROWS)) == {
        "rows": [{"topic": row.topic, "status": row.status, "text": row.text, "remedy": row.remedy} for row in ROWS],
        "problems": 1,
    }


def test_an_error_of_ours_is_split_at_its_remedy() -> None:
    assert from_error("x", "problem", DataError("a; b is bad; do c")) == Row("x", "problem", "a; b is bad", "do c")
    assert from_error("x", "problem", DataError("bad")).text == "bad"


def test_what_cannot_be_told_is_a_note_and_what_was_told_before_stays() -> None:
    def check() -> Iterator[Row]:
        yield ROWS[2]
        raise PermissionError(13, "Permission denied", "/proc/cpuinfo")

    first, note = told("instructions", check)
    assert first == ROWS[2]
    assert (note.topic, note.status) == ("instructions", "note")
    assert "Permission denied: '/proc/cpuinfo'" in note.text
    assert note.remedy


@pytest.mark.parametrize(("rows", "code"), [(ROWS, 1), (ROWS[:2], 0)])
@pytest.mark.parametrize("as_json", [True, False])
def test_a_problem_is_exit_code_1(
    rows: list[Row], code: int, as_json: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "examine", lambda *given: rows)
    assert run_doctor(tmp_path, None, as_json=as_json) == code


def test_neither_torch_nor_textual_is_loaded_to_say_what_there_is() -> None:
    code = "import sys, reid_tui.doctor.report; assert not {'torch', 'textual', 'plotext'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.slow
def test_this_machine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = run_doctor(tmp_path / "runs", str(tmp_path / "no\x1b[31mdata"), as_json=True)
    out, err = capsys.readouterr()
    answer = json.loads(out)
    found = {row["topic"]: row for row in answer["rows"]}
    assert err == ""
    assert code == 1
    assert [row["topic"] for row in answer["rows"] if row["status"] == "problem"] == ["data folders"]
    assert answer["problems"] == 1
    assert "no\ufffd[31mdata: No such file or directory" in found["data folders"]["text"]
    assert found["cpu"] == {"topic": "cpu", "status": "ok", "text": "answers", "remedy": ""}
    assert not [row for row in answer["rows"] if "cannot be told" in row["text"]]
    assert {"python", "torch", "torchvision", "instructions", "threads", "memory", "terminal", "disk"} <= found.keys()
