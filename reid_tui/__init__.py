"""Contrastive training that can be watched and steered in a terminal, and the trained network at work."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reid_tui.using.model import load_run

__all__ = ["__version__", "load_run"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:  # noqa: ANN401
    """Import what a name stands for where it is asked for: the package itself costs nothing."""
    if name == "load_run":
        from reid_tui.using.model import load_run

        return load_run
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
