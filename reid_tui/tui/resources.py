"""What the process uses of the machine: memory, and the GPU's load and temperature where NVML can be asked."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, Final

from reid_tui.view.numbers import NumberRow

EVERY: Final = 2.0
"""Seconds between two looks."""
_GIB: Final = 1024**3


class Machine:
    """Asked on the screen's thread; each look takes well under a millisecond."""

    def __init__(self) -> None:
        self._looked: float | None = None
        self._rows: tuple[NumberRow, ...] = ()
        self._nvml: Any = None
        self._handle: Any = None
        self._device = ""
        self._pid = 0

    def rows(self, device: str, pid: int, now: float) -> tuple[NumberRow, ...]:
        """Rows for the numbers panel.

        Args:
            device: the run's, such as `cpu` or `cuda:1`; empty before the run.
            pid: of the process that trains, on this machine; 0 where there is none.
            now: seconds on any steady clock.
        """
        if self._looked is None or now >= self._looked + EVERY or (device, pid) != (self._device, self._pid):
            self._looked, self._pid = now, pid
            if device != self._device:
                self._device = device
                self._find_gpu(device)
            self._rows = tuple(row for row in (self._memory(), self._gpu()) if row is not None)
        return self._rows

    def _memory(self) -> NumberRow | None:
        try:
            pages = int(Path(f"/proc/{self._pid}/statm").read_text().split()[1])
        except (OSError, IndexError, ValueError):
            return None
        return NumberRow("memory", f"{pages * os.sysconf('SC_PAGE_SIZE') / _GIB:.2f} GiB")

    def _gpu(self) -> NumberRow | None:
        if self._handle is None:
            return None
        try:
            load = self._nvml.nvmlDeviceGetUtilizationRates(self._handle).gpu
            heat = self._nvml.nvmlDeviceGetTemperature(self._handle, self._nvml.NVML_TEMPERATURE_GPU)
        except self._nvml.NVMLError:
            self._handle = None
            return None
        return NumberRow("GPU", f"{load} %  {heat} °C")

    def _find_gpu(self, device: str) -> None:
        """NVML counts all GPUs, torch those of CUDA_VISIBLE_DEVICES."""
        self._handle = None
        if not device.startswith("cuda"):
            return
        try:
            import pynvml
        except ImportError:
            return
        self._nvml = pynvml
        number = int(found.group()) if (found := re.search(r"(?<=cuda:)\d+", device)) else 0
        visible = [part for part in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if part]
        name = visible[number] if number < len(visible) else str(number)
        try:
            pynvml.nvmlInit()
            self._handle = (
                pynvml.nvmlDeviceGetHandleByIndex(int(name))
                if name.isdecimal()
                else pynvml.nvmlDeviceGetHandleByUUID(name)
            )
        except pynvml.NVMLError:
            self._handle = None
