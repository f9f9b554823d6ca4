"""torch, and the devices that it computes on."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from reid_tui.doctor.cgroup import ROOT
from reid_tui.doctor.probe import VISION
from reid_tui.doctor.rows import NOTHING_TO_DO, Row
from reid_tui.runs.table import size

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from reid_tui.doctor.probe import Device, Findings

_TOGETHER: Final = "install torch and torchvision anew, in one step and from one place"
_WITHOUT: Final = "look at the driver with 'nvidia-smi'; --device cpu trains without it"
_VISIBLE: Final = "CUDA_VISIBLE_DEVICES"
_DRIVER: Final = ("proc/driver/nvidia/version", "dev/nvidiactl")


def torch_rows(findings: Findings) -> Iterator[Row]:
    """Which torch there is, and which torchvision."""
    if not findings.torch:
        yield Row("torch", "problem", f"{findings.doing}: {findings.error}", _TOGETHER)
        return
    yield Row("torch", "ok", f"{findings.torch}, built for {findings.build}")
    if findings.torchvision:
        yield Row("torchvision", "ok", findings.torchvision)
    elif error := findings.vision_error or (findings.error if findings.doing == VISION else ""):
        yield Row("torchvision", "note", f"cannot be imported: {error}", f"{_TOGETHER}; only 'reid-tui bench' needs it")


def device_rows(findings: Findings, environ: Mapping[str, str], root: Path = ROOT) -> Iterator[Row]:
    """Whether each device answers; nothing without torch."""
    if not findings.torch:
        return
    broken_off = findings.error if findings.doing != VISION else ""
    if not findings.devices:
        yield Row("device", "problem", f"{findings.doing}: {broken_off}", _WITHOUT)
    elif findings.devices[0].name == "cpu":
        yield _no_gpu(findings, environ, root)
    for device in findings.devices:
        asked_last = device is findings.devices[-1]
        yield _device(replace(device, error=broken_off) if asked_last and broken_off else device)


def _device(device: Device) -> Row:
    of = f"{device.title}, {size(device.memory)}: " if device.title else ""
    if device.error:
        return Row(device.name, "problem", f"{of}{device.error}", _TOGETHER if device.name == "cpu" else _WITHOUT)
    if not device.bf16:
        remedy = "give --precision fp32, which is faster here than what auto takes"
        return Row(device.name, "note", f"{of}answers; bf16 is only emulated", remedy)
    return Row(device.name, "ok", f"{of}answers")


def _no_gpu(findings: Findings, environ: Mapping[str, str], root: Path) -> Row:
    topic, text = "device", "no GPU that torch can use: runs train on the CPU"
    if not any((root / path).exists() for path in _DRIVER):
        return Row(topic, "note", text, f"{NOTHING_TO_DO}; on an NVIDIA GPU it is faster")
    text = f"{text}, although there is an NVIDIA driver"
    if not findings.build.startswith("CUDA"):
        return Row(topic, "note", text, "install torch and torchvision in their CUDA builds")
    if _VISIBLE in environ:
        return Row(topic, "note", f"{text} ({_VISIBLE}={environ[_VISIBLE]!r})", f"unset {_VISIBLE}")
    said = f"; torch says: {findings.warning}" if findings.warning else ""
    remedy = f"see whether 'nvidia-smi' lists one, and whether its driver is new enough for {findings.build}"
    return Row(topic, "note", f"{text}{said}", remedy)
