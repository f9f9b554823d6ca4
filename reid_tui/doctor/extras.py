"""What else can be installed: the extras that the package's own metadata names."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, requires, version
from typing import TYPE_CHECKING, Final

from reid_tui.doctor.rows import Row

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_OPTIONAL: Final = re.compile(r"""^([A-Za-z0-9._-]+).*\bextra\s*==\s*["']([A-Za-z0-9._-]+)["']""")
_FOR_A_GPU: Final = "gpu"


def extra_rows(*, gpu: bool, requirements: Iterable[str] | None = None) -> Iterator[Row]:
    """Each extra's packages, found or not.

    Args:
        gpu: whether there is an NVIDIA GPU, which one extra is for.
        requirements: as metadata writes them; None takes those of this package.

    Raises:
        PackageNotFoundError: this package is not installed.
    """
    for requirement in requires("reid-tui") or () if requirements is None else requirements:
        if not (match := _OPTIONAL.match(requirement)):
            continue
        package, extra = match.groups()
        topic = f"extra {extra}"
        try:
            yield Row(topic, "ok", f"{package} {version(package)}")
        except PackageNotFoundError:
            if extra == _FOR_A_GPU and not gpu:
                yield Row(topic, "ok", f"{package} is not installed; it shows the load of an NVIDIA GPU")
            else:
                yield Row(
                    topic, "note", f"{package} is not installed", f"'uv sync --extra {extra}', or install {package}"
                )
