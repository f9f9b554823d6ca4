"""`python -m reid_tui.doctor.probe`: what torch and its devices answer, found out in a process of its own.

A driver may hang, and instructions that a processor lacks end a process: `ask_torch` outlives both. After each step the
probe writes all it knows as one JSON line, so that what came before a hang is known too.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import warnings
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

from reid_tui.errors import cause

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

LIMIT_S: Final = 120.0
"""On a busy file server `import torch` alone takes a minute."""
COMMAND: Final = (sys.executable, "-P", "-m", "reid_tui.doctor.probe")
"""-P: a torch.py in the current folder is not torch."""
IMPORTING: Final = "importing torch"
LOOKING: Final = "looking for devices"
VISION: Final = "importing torchvision"
_KILLED_S: Final = 2.0
_TRACED: Final = 324
"""6 x 6 places at which nine ones are added."""


@dataclass(slots=True)
class Device:
    """One that torch can compute on."""

    name: str
    title: str = ""
    memory: int = 0
    """Bytes; 0 where it is the machine's."""
    bf16: bool = True
    """Whether it computes in bf16 itself."""
    error: str = "does not answer"
    """Empty once a small kernel gave the right answer."""


@dataclass(slots=True)
class Findings:
    """All that is known so far; what is empty or 0 is not."""

    doing: str = "starting Python"
    """The step that the probe is at; empty at its end."""
    error: str = ""
    """Why it did not come to its end."""
    torch: str = ""
    build: str = ""
    threads: int = 0
    capability: str = ""
    """Of the processor, as far as torch uses it: AVX2, AVX512, ..."""
    warning: str = ""
    """What torch said while it looked for devices."""
    devices: list[Device] = field(default_factory=list)
    """The last one is the CPU."""
    torchvision: str = ""
    vision_error: str = ""


def ask_torch(command: Sequence[str] = COMMAND, limit_s: float = LIMIT_S) -> Findings:
    """Run the probe, at most so long."""
    pipe = subprocess.PIPE
    try:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe)
    except OSError as error:
        return Findings(error=cause(error))
    try:
        out, talk = process.communicate(timeout=limit_s)
    except subprocess.TimeoutExpired as late:
        process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):  # no kill reaches a process that waits inside a driver
            process.communicate(timeout=_KILLED_S)
        return read_findings(late.stdout or b"", b"", f"no answer within {limit_s:g} s")
    finally:
        process.kill()
    return read_findings(out, talk, _ended(process.returncode))


def read_findings(out: bytes, talk: bytes, end: str) -> Findings:
    """What the probe wrote last, and why it ended early where it did.

    Args:
        out: its lines.
        talk: what else was written, a traceback for instance.
        end: how its process ended; empty where it ended as it should.
    """
    findings = Findings()
    for line in out.splitlines(keepends=True):
        if line.endswith(b"\n"):
            known: dict[str, Any] = json.loads(line)
            findings = Findings(**known | {"devices": [Device(**device) for device in known["devices"]]})
    if findings.doing and not findings.error:
        last = next((line for line in reversed(talk.decode(errors="replace").splitlines()) if line.strip()), "")
        findings.error = ": ".join(part for part in (end, last.strip()) if part) or "it ended early"
    return findings


def _ended(code: int) -> str:
    if code < 0:
        try:
            return f"ended by {signal.Signals(-code).name}"
        except ValueError:
            return f"ended by signal {-code}"
    return f"ended with exit code {code}" if code else ""


def main() -> None:
    """Write lines until all is known."""
    signal.alarm(round(LIMIT_S))  # whoever waits for it may have been killed
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # native code may say what it likes
    findings = Findings()

    def tell(doing: str) -> None:
        findings.doing = doing
        out.write(json.dumps(asdict(findings)) + "\n")
        out.flush()

    try:
        look(findings, tell)
    except Exception as error:
        findings.error = cause(error)
        tell(findings.doing)
    os._exit(0)  # taking torch down takes long, and may hang where a device did


def look(findings: Findings, tell: Callable[[str], None]) -> None:
    """Find out all there is, and tell each step before it is taken; no error of a device is raised."""
    tell(IMPORTING)
    import torch

    version = torch.version
    findings.torch = torch.__version__
    findings.build = (
        f"CUDA {version.cuda}" if version.cuda else f"ROCm {version.hip}" if version.hip else "the CPU only"
    )
    findings.threads = torch.get_num_threads()
    findings.capability = torch.backends.cpu.get_cpu_capability()
    tell(LOOKING)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        names = [f"cuda:{index}" for index in range(torch.cuda.device_count() if torch.cuda.is_available() else 0)]
    findings.warning = str(caught[-1].message).splitlines()[0] if caught else ""
    if torch.backends.mps.is_available():
        names.append("mps")
    for name in (*names, "cpu"):
        device = Device(name)
        findings.devices.append(device)
        tell(f"asking {name}")
        try:
            ask(device)
        except Exception as error:
            device.error = cause(error)
    tell(VISION)
    try:
        import torchvision  # type: ignore[import-untyped]
    except Exception as error:
        findings.vision_error = cause(error)
    else:
        findings.torchvision = torchvision.__version__
    tell("")


def ask(device: Device) -> None:
    """Run a small kernel of the kind that a run consists of, and note what the device is.

    Raises:
        RuntimeError: torch's, where the device does not answer.
        ArithmeticError: it answers wrongly.
    """
    import torch

    if device.name.startswith("cuda"):
        facts = torch.cuda.get_device_properties(device.name)
        device.title, device.memory = facts.name, facts.total_memory
        with torch.cuda.device(device.name):
            device.bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
    image, kernel = torch.ones(1, 1, 8, 8, device=device.name), torch.ones(1, 1, 3, 3, device=device.name)
    answer = torch.nn.functional.conv2d(image, kernel).sum().item()
    if answer != _TRACED:
        raise ArithmeticError(f"a convolution of ones gave {answer}, not {_TRACED}")
    device.error = ""


if __name__ == "__main__":
    main()
