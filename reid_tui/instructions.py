"""Which of the processor's instructions numpy sorts with, where its own choice is known to be a bad one."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import MutableMapping

SWITCH: Final = "NPY_DISABLE_CPU_FEATURES"
AVX512: Final = "X86_V4 AVX512_ICL"
"""What numpy 2.4 and later call those that Zen 4 has."""
_ENOUGH: Final = 8192
"""Bytes of /proc/cpuinfo, which has a paragraph for each of hundreds of cores."""


def sort_fast(environ: MutableMapping[str, str] = os.environ, root: Path = Path("/")) -> None:
    """Have numpy sort by AVX2 on AMD's Zen 4; call it before numpy is imported.

    Its sort by AVX512 stores packed vectors straight to memory, which that processor does in over a hundred cycles: a
    gallery of 10,000 images is ranked four times slower than by AVX2 (numpy/x86-simd-sort, issue 6). The order is the
    same.

    A numpy that is no wheel of its project is left alone: where it was built for AVX512 only, it would not start.
    """
    if {SWITCH, "NPY_ENABLE_CPU_FEATURES"} & environ.keys() or "numpy" in sys.modules or not _is_zen4(root):
        return
    found = importlib.util.find_spec("numpy")
    if found is not None and found.origin is not None and _has_names(Path(found.origin).parent):
        environ[SWITCH] = AVX512


def _is_zen4(root: Path) -> bool:
    try:
        with (root / "proc/cpuinfo").open(errors="replace") as file:
            first = file.read(_ENOUGH).split("\n\n")[0]
    except OSError:
        return False
    facts = dict(re.findall(r"^(vendor_id|cpu family|flags)\s*: (.*)$", first, re.MULTILINE))
    amd_19h = (facts.get("vendor_id"), facts.get("cpu family")) == ("AuthenticAMD", "25")  # Zen 3 too, without AVX512
    return amd_19h and "avx512f" in facts.get("flags", "").split()


def _has_names(folder: Path) -> bool:
    """Whether a numpy is a wheel of a version that calls them so."""
    try:
        version = re.search(r'^version = "(\d+)\.(\d+)', (folder / "version.py").read_text(), re.MULTILINE)
    except OSError:
        return False
    known = version is not None and (2, 4) <= (int(version[1]), int(version[2])) < (3, 0)
    return known and (folder.parent / "numpy.libs").is_dir()
