"""The table, the JSON object, and what the command refuses."""

from __future__ import annotations

import dataclasses
import io
import json
import math
import signal
import sys
from pathlib import Path
from typing import NoReturn

import pytest
from rich.console import Console

from reid_tui.bench import command as run
from reid_tui.bench import measurements
from reid_tui.bench.processes import Setup
from reid_tui.bench.processes import run as run_process
from reid_tui.bench.report import Machine, Result, Side, percentile, print_results, results_json, this_machine
from reid_tui.bench.terminal import Terminal
from reid_tui.console import console_on
from reid_tui.errors import OK, TERMINATED, ReidTuiError, UsageError
from reid_tui.training.events import AnyEvent, Progress

MACHINE = Machine(cpu="Some CPU", cores=2, torch="2.10", python="3.11", device="cpu")
PACE = Result(
    name="plain",
    what="headless over plain",
    unit="pairs/s",
    a=Side("train", (3000.0, 2000.0, 2500.0)),
    b=Side("plain loop", (1500.0, 2000.0, 1000.0)),
    target=">= 1.4",
    met=True,
    device="cpu",
)
LATENCY = Result(
    name="latency",
    what="key",
    unit="ms",
    a=Side("dashboard", (10.0, 300.0)),
    target="p95 <= 150",
    met=False,
    note="p95 300 ms",
)


def test_ratios_are_taken_round_by_round() -> None:
    assert PACE.ratios() == (2.0, 1.0, 2.5)
    assert LATENCY.ratios() == ()
    assert PACE.a.spread() == (2000.0, 2500.0, 3000.0)


def test_percentiles() -> None:
    values = [float(value) for value in range(60, 0, -1)]
    assert percentile(values, 95) == 57
    assert percentile(values, 50) == 30
    assert percentile([4.0], 95) == 4
    assert math.isnan(percentile([], 95))


@pytest.mark.parametrize("width", [80, 120])
def test_the_table_says_it_all(width: int) -> None:
    console = Console(width=width, record=True, file=open("/dev/null", "w"))  # noqa: PTH123, SIM115
    print_results(console, [PACE, LATENCY], MACHINE, rounds=3, steps=1000)
    console.file.close()
    text = console.export_text()
    for part in (
        "2,000",
        "2,500",
        "3,000",
        "1,500",
        "2.000",
        ">= 1.4",
        "yes",
        "p95 <= 150",
        "NO",
        "Some CPU",
        "300 ms",
    ):
        assert part in text
    assert max(len(line) for line in text.splitlines()) <= width


def test_where_there_is_no_terminal_nothing_is_folded() -> None:
    file = io.StringIO()
    noted = dataclasses.replace(PACE, note=" ".join(["a long note"] * 30))
    print_results(console_on(file), [noted], MACHINE, rounds=3, steps=1000)
    assert f"{noted.name}: {noted.note}.\n" in file.getvalue()
    assert f"{noted.what} [{noted.unit}]" in file.getvalue()


def test_the_json_object_has_every_value() -> None:
    value = json.loads(json.dumps(results_json([PACE, LATENCY], MACHINE, rounds=3, steps=1000), allow_nan=False))
    assert (value["rounds"], value["steps"], value["machine"]["device"]) == (3, 1000, "cpu")
    pace, latency = value["results"]
    assert pace["a"] == {
        "label": "train",
        "values": [3000.0, 2000.0, 2500.0],
        "min": 2000.0,
        "median": 2500.0,
        "max": 3000.0,
    }
    assert pace["ratio"]["median"] == 2.0
    assert (pace["target"], pace["met"]) == (">= 1.4", True)
    assert latency["b"] is None
    assert latency["ratio"] is None


def test_no_values_are_no_numbers() -> None:
    nothing = Result(name="x", what="x", unit="ms", a=Side("a", ()), target="", met=False)
    assert results_json([nothing], MACHINE, 1, 60)["results"][0]["a"]["median"] is None
    print_results(Console(quiet=True), [nothing], MACHINE, 1, 60)


def test_the_machine_is_described(tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor\t: 0\nmodel name\t: Fast One\nmodel name\t: Fast One\n")
    machine = this_machine("cpu", cpuinfo)
    assert machine.cpu == "Fast One"
    assert machine.cores >= 1
    assert this_machine("", tmp_path / "missing").cpu


def test_wrong_numbers_and_names_are_refused() -> None:
    usual = {"rounds": 1, "steps": 100, "only": (), "as_json": False, "data": "auto", "data_dir": None}
    for wrong in ({"rounds": 0}, {"steps": 50}, {"only": ("speed",)}):
        with pytest.raises(UsageError, match=str(next(iter(wrong)))):
            run.run_bench(**{**usual, **wrong})  # type: ignore[arg-type]


def test_without_a_folder_for_temporary_files_nothing_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(prefix: str) -> NoReturn:
        raise FileNotFoundError(2, f"no folder for {prefix}")

    monkeypatch.setattr(run.tempfile, "TemporaryDirectory", none)
    with pytest.raises(UsageError, match="no folder for reid-tui-bench-; name one with TMPDIR"):
        run.run_bench(rounds=1, steps=100, only=("plain",), as_json=True, data="auto", data_dir=None)


@pytest.mark.parametrize("as_json", [True, False])
def test_only_what_was_asked_for_is_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], as_json: bool
) -> None:
    seen: list[Setup] = []

    def measure(setup: Setup) -> list[Result]:
        seen.append(setup)
        assert setup.folder.is_dir()
        setup.talk("plain: round 1 of 3")
        return [PACE]

    def unwanted(_: Setup) -> list[Result]:
        raise AssertionError("not asked for")

    monkeypatch.setattr(run, "MEASUREMENTS", {"startup": unwanted, "plain": measure})
    code = run.run_bench(rounds=3, steps=100, only=("plain",), as_json=as_json, data="mnist", data_dir="somewhere")
    assert code == OK
    output = capsys.readouterr()
    assert "round 1 of 3" in output.err
    assert not seen[0].folder.exists()
    assert seen[0].data_options == ("--data", "mnist", "--data-dir", "somewhere")
    if as_json:
        assert json.loads(output.out)["results"][0]["name"] == "plain"
    else:
        assert "headless" in output.out


def test_sigterm_ends_what_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.getsignal(signal.SIGTERM)
    seen: list[tuple[Path, Terminal]] = []
    cleaned: list[Terminal] = []

    def measure(setup: Setup) -> list[Result]:
        with Terminal((sys.executable, "-c", "import time; time.sleep(600)")) as terminal:
            seen.append((setup.folder, terminal))
            try:
                signal.raise_signal(signal.SIGTERM)
            finally:
                signal.raise_signal(signal.SIGTERM)  # `timeout` sends it to the process, and to its group
                cleaned.append(terminal)
        return []

    monkeypatch.setattr(run, "MEASUREMENTS", {"plain": measure})
    with pytest.raises(SystemExit) as end:
        run.run_bench(rounds=1, steps=100, only=(), as_json=True, data="auto", data_dir=None)
    assert end.value.code == TERMINATED
    folder, terminal = seen[0]
    assert not folder.exists()
    assert not terminal.running
    assert cleaned == [terminal]
    assert signal.getsignal(signal.SIGTERM) is before


def log(pace: float, loss: float = 0.5) -> list[AnyEvent]:
    return [
        Progress(
            step=step,
            time=step / pace,
            epoch=1,
            loss=loss,
            margin=1.0,
            lr=1e-3,
            pairs_seen=step * 64,
            pairs_per_s=0.0,
            wall_s=0.0,
            skipped=0,
        )
        for step in range(1, 101)
    ]


def test_the_sides_take_turns_and_are_held_against_the_target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []

    def dashboard(_: Setup, name: str, *_size: object) -> list[AnyEvent]:
        order.append(name)
        return log(98.0)

    def headless(_: Setup, name: str) -> list[AnyEvent]:
        order.append(name)
        return log(100.0, loss=0.5 if name.endswith("0") else 0.25)

    monkeypatch.setattr(measurements, "run_dashboard", dashboard)
    monkeypatch.setattr(measurements, "run_headless", headless)
    setup = Setup(rounds=2, steps=100, data="auto", data_dir=None, folder=tmp_path, talk=lambda _: None)
    pace, losses = measurements.measure_dashboard(setup)
    assert order == ["dashboard-a-0", "dashboard-b-0", "dashboard-b-1", "dashboard-a-1"]
    assert pace.a.values == pytest.approx((98 * 64, 98 * 64))
    assert pace.ratios() == pytest.approx((0.98, 0.98))
    assert pace.met
    assert losses.b is not None
    assert losses.b.values == (100, 0)
    assert not losses.met


def test_a_failed_command_is_named_with_its_last_word() -> None:
    command = (sys.executable, "-c", "import sys; sys.stderr.write('one\\ntwo \\x1b[31m\\n'); sys.exit(3)")
    with pytest.raises(ReidTuiError, match=r"exit code 3: two [^\x1b]*$"):
        run_process(command, 30)
    with pytest.raises(ReidTuiError, match="did not end within 0 s"):
        run_process((sys.executable, "-c", "import time; time.sleep(60)"), 0.2)


def test_help_and_version_are_measured_for_real(tmp_path: Path) -> None:
    setup = Setup(rounds=1, steps=100, data="auto", data_dir=None, folder=tmp_path, talk=lambda _: None)
    (result,) = measurements.measure_startup(setup)
    assert result.met, result.note
    assert result.a.values[0] > 0
