"""torch and its devices: what each answer means, and a probe that hangs, dies or is asked for real."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch

from reid_tui.doctor import probe
from reid_tui.doctor.devices import device_rows, torch_rows
from reid_tui.doctor.probe import COMMAND, IMPORTING, LOOKING, VISION, Device, Findings, ask, ask_torch, read_findings
from reid_tui.doctor.rows import Row
from tests.doctor.machines import machine

CPU = Device("cpu", error="")
GPU = Device("cuda:0", "NVIDIA H100", 85 * 10**9, error="")
WHOLE = Findings(doing="", torch="2.15.0", build="CUDA 13.2", devices=[GPU, CPU], torchvision="0.29.2")


def rows(findings: Findings, root: Path, environ: dict[str, str] | None = None) -> list[Row]:
    return [*torch_rows(findings), *device_rows(findings, environ or {}, root)]


def test_a_machine_with_a_gpu(tmp_path: Path) -> None:
    assert rows(WHOLE, tmp_path) == [
        Row("torch", "ok", "2.15.0, built for CUDA 13.2"),
        Row("torchvision", "ok", "0.29.2"),
        Row("cuda:0", "ok", "NVIDIA H100, 85.0 GB: answers"),
        Row("cpu", "ok", "answers"),
    ]


def test_without_torch_nothing_else_is_said_of_it(tmp_path: Path) -> None:
    (row,) = rows(Findings(doing=IMPORTING, error="ModuleNotFoundError: No module named 'torch'"), tmp_path)
    assert (row.topic, row.status) == ("torch", "problem")
    assert row.text == "importing torch: ModuleNotFoundError: No module named 'torch'"
    assert row.remedy


@pytest.mark.parametrize(
    ("findings", "topic", "status", "told"),
    [
        (
            replace(WHOLE, devices=[replace(GPU, error="RuntimeError: no kernel image"), CPU]),
            "cuda:0",
            "problem",
            "image",
        ),
        (replace(WHOLE, devices=[replace(GPU, bf16=False), CPU]), "cuda:0", "note", "bf16 is only emulated"),
        (
            replace(WHOLE, devices=[Device("cuda:0")], doing="asking cuda:0", error="no answer"),
            "cuda:0",
            "problem",
            "no an",
        ),
        (
            replace(WHOLE, devices=[], doing=LOOKING, error="no answer"),
            "device",
            "problem",
            "looking for devices: no ans",
        ),
        (replace(WHOLE, devices=[replace(CPU, error="wrong")]), "cpu", "problem", "wrong"),
        (replace(WHOLE, torchvision="", vision_error="RuntimeError: nms"), "torchvision", "note", "nms"),
        (replace(WHOLE, torchvision="", doing=VISION, error="ended by SIGSEGV"), "torchvision", "note", "SIGSEGV"),
    ],
)
def test_what_does_not_answer(findings: Findings, topic: str, status: str, told: str, tmp_path: Path) -> None:
    found = {row.topic: row for row in rows(findings, tmp_path)}
    assert found[topic].status == status
    assert told in found[topic].text
    assert found[topic].remedy
    assert {row.status for row in found.values() if row.topic not in (topic, "device")} <= {"ok"}


@pytest.mark.parametrize(
    ("driver", "build", "environ", "told"),
    [
        ("", "CUDA 13.2", {}, "nothing has to be done"),
        ("proc/driver/nvidia/version", "the CPU only", {}, "CUDA builds"),
        ("dev/nvidiactl", "CUDA 13.2", {"CUDA_VISIBLE_DEVICES": ""}, "unset CUDA_VISIBLE_DEVICES"),
        ("dev/nvidiactl", "CUDA 13.2", {}, "torch says: the driver is too old; see whether 'nvidia-smi'"),
    ],
)
def test_why_there_is_no_gpu(driver: str, build: str, environ: dict[str, str], told: str, tmp_path: Path) -> None:
    if driver:
        machine(tmp_path, {driver: ""})
    findings = replace(WHOLE, devices=[CPU], build=build, warning="the driver is too old")
    note = next(row for row in rows(findings, tmp_path, environ) if row.topic == "device")
    assert note.status == "note"
    assert "train on the CPU" in note.text
    assert told in f"{note.text}; {note.remedy}"


SAID = json.dumps(asdict(Findings(doing="asking cuda:0", torch="9"))) + "\n{half a li"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("then", "limit_s", "error"),
    [
        ("time.sleep(600)", 2, "no answer within 2 s"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", 60, "ended by SIGSEGV"),
        ("sys.exit('driver: gone')", 60, "ended with exit code 1: driver: gone"),
    ],
)
def test_a_device_that_hangs_or_kills_costs_only_what_was_not_known(then: str, limit_s: float, error: str) -> None:
    code = f"import os, signal, sys, time; os.write(1, {SAID.encode()!r}); {then}"
    found = ask_torch((sys.executable, "-I", "-S", "-c", code), limit_s)
    assert found == Findings(doing="asking cuda:0", torch="9", error=error)


@pytest.mark.slow
def test_a_probe_that_hangs_ends_without_anybody_who_waits_for_it() -> None:
    code = "import time, reid_tui.doctor.probe as p; p.LIMIT_S = 1; p.look = lambda *given: time.sleep(600); p.main()"
    assert ask_torch((sys.executable, "-c", code)).error == "ended by SIGALRM"


def test_a_python_that_does_not_start() -> None:
    found = ask_torch(("/nowhere/python",))
    assert found.doing == "starting Python"
    assert found.error.startswith("FileNotFoundError")


def test_an_end_without_a_word_is_an_error() -> None:
    assert read_findings(b"", b"\n", "").error == "it ended early"
    assert read_findings(b"", b"a\nlast\n\n", "").error == "last"


def test_a_module_in_the_current_folder_is_not_taken_for_the_real_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dataclasses.py").write_text("raise SystemExit('taken from the current folder')")
    monkeypatch.chdir(tmp_path)
    assert ask_torch((*COMMAND[:-1], "reid_tui.doctor.rows")).error == "it ended early"


def test_the_kernel_runs_here() -> None:
    device = Device("cpu")
    ask(device)
    assert device == CPU


@pytest.mark.gpu
def test_a_device_that_is_not_there_is_an_error_and_the_others_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is a GPU it answers as it is; elsewhere torch says why not."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 99)
    told: list[str] = []
    findings = Findings()
    probe.look(findings, told.append)
    assert told == [IMPORTING, LOOKING, *(f"asking {device.name}" for device in findings.devices), VISION, ""]
    assert [device.name for device in findings.devices] == [*(f"cuda:{index}" for index in range(99)), "cpu"]
    assert findings.devices[98].error
    assert findings.devices[-1] == CPU
    assert (findings.torch, findings.threads) == (torch.__version__, torch.get_num_threads())
    assert findings.torchvision
