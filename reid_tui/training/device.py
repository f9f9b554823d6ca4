"""Which device and precision a run gets."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch

from reid_tui.errors import UsageError

if TYPE_CHECKING:
    from reid_tui.config import Precision


def pick_device(name: str) -> torch.device:
    """Turn `--device` into a device that exists.

    Args:
        name: auto, cpu, cuda, cuda:N or mps. `auto` takes CUDA, then MPS, then the CPU.

    Raises:
        UsageError: this machine has no such device.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda:0")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    if name.startswith("cuda"):
        if not torch.cuda.is_available():
            raise UsageError(f"--device {name}: torch finds no CUDA device here; use --device cpu or auto")
        device = torch.device(name if ":" in name else "cuda:0")
        if device.index >= torch.cuda.device_count():
            raise UsageError(f"--device {name}: there are {torch.cuda.device_count()} CUDA devices, counted from 0")
        return device
    if name == "mps" and not torch.backends.mps.is_available():
        raise UsageError("--device mps: torch finds no MPS device here; use --device cpu or auto")
    return torch.device(name)


def wake(device: torch.device) -> None:
    """Have a CUDA device make its context, which can take as long as the import of torch."""
    torch.zeros(1, device=device)


def pick_precision(name: str, device: torch.device) -> Precision:
    """Turn `--precision` into what the forward pass computes in; `auto` is bf16 where a CUDA device has it."""
    if name == "auto":
        return "bf16" if device.type == "cuda" and torch.cuda.is_bf16_supported() else "fp32"
    return cast("Precision", name)


def describe_device(device: torch.device) -> str:
    """For header and log: the device and, for CUDA, its name."""
    if device.type == "cuda":
        return f"{device} {torch.cuda.get_device_name(device)}"
    return str(device)
