"""Numpy sorts by AVX2 where AVX512 is slow, and nothing else is touched."""

from __future__ import annotations

import importlib.util
import platform
import subprocess
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from reid_tui.instructions import AVX512, SWITCH, sort_fast
from tests.doctor.machines import machine

ZEN4 = "processor\t: 0\nvendor_id\t: AuthenticAMD\ncpu family\t: 25\nmodel\t\t: 17\nflags\t\t: fpu avx2 avx512f\n\n"


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A numpy that is not imported yet."""
    folder = machine(tmp_path / "site", {"numpy/version.py": 'version = "2.4.6"\n', "numpy.libs/libopenblas.so": ""})
    spec = ModuleSpec("numpy", None, origin=str(folder / "numpy/__init__.py"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: spec)
    monkeypatch.delitem(sys.modules, "numpy")
    return folder


def switched(root: Path, cpuinfo: str | None = ZEN4, **environ: str) -> str | None:
    if cpuinfo is not None:
        machine(root, {"proc/cpuinfo": cpuinfo * 3})
    sort_fast(environ, root)
    return environ.get(SWITCH)


def test_on_zen_4_numpy_is_kept_from_avx512(wheel: Path, tmp_path: Path) -> None:
    assert switched(tmp_path) == AVX512


@pytest.mark.parametrize(
    "cpuinfo",
    [
        None,
        "",
        ZEN4.replace("AuthenticAMD", "GenuineIntel"),
        ZEN4.replace(": 25", ": 26"),
        ZEN4.replace(" avx512f", ""),
        "processor : 0\nBogoMIPS : 50.00\nFeatures : fp asimd\n\n",
    ],
    ids=["no file", "empty", "Intel", "Zen 5", "Zen 3", "ARM"],
)
def test_other_processors_are_left_alone(cpuinfo: str | None, wheel: Path, tmp_path: Path) -> None:
    assert switched(tmp_path, cpuinfo) is None


@pytest.mark.parametrize("version", ['version = "2.3.9"', 'version = "1.26.4"', 'version = "3.0.0"', "", None])
def test_a_numpy_with_other_names_is_left_alone(version: str | None, wheel: Path, tmp_path: Path) -> None:
    file = wheel / "numpy/version.py"
    file.write_text(version or "")
    if version is None:
        file.unlink()
    assert switched(tmp_path) is None


def test_a_numpy_of_a_distribution_is_left_alone(wheel: Path, tmp_path: Path) -> None:
    (wheel / "numpy.libs").rename(wheel / "elsewhere")
    assert switched(tmp_path) is None


def test_what_a_person_set_stays(wheel: Path, tmp_path: Path) -> None:
    assert switched(tmp_path, **{SWITCH: "X86_V3"}) == "X86_V3"
    assert switched(tmp_path, NPY_ENABLE_CPU_FEATURES="X86_V4") is None


def test_a_numpy_that_is_imported_has_chosen(tmp_path: Path) -> None:
    import numpy as np

    assert np.__version__
    assert switched(tmp_path) is None


@pytest.mark.skipif(platform.machine() != "x86_64", reason="numpy has other instructions here")
def test_the_command_line_sets_it_and_numpy_takes_it_without_a_word(tmp_path: Path) -> None:
    """Wherever this runs, as if it were Zen 4: names that numpy does not know would be an error here."""
    code = (
        "import sys; from pathlib import Path; from reid_tui import instructions\n"
        f"instructions.sort_fast.__defaults__ = (instructions.os.environ, Path({str(tmp_path)!r}))\n"
        "from reid_tui.cli.main import run; run(['--version'])\n"
        "import numpy as np; from numpy._core._multiarray_umath import __cpu_features__ as there\n"
        "assert np.__version__ and not any(there[name] for name in instructions.AVX512.split())"
    )
    machine(tmp_path, {"proc/cpuinfo": ZEN4})
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
