"""A network that was exported as ONNX, at work by onnxruntime alone: no torch is imported."""

from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from reid_tui.errors import RunError, UsageError, why
from reid_tui.files import read_regular
from reid_tui.text import printable
from reid_tui.training.card import card_from
from reid_tui.using.model import Model

if TYPE_CHECKING:
    from pathlib import Path

    from reid_tui.data.dataset import UInt8Array
    from reid_tui.training.card import ModelCard
    from reid_tui.using.model import FloatArray

CARD: Final = "reid_tui.card"
STEP: Final = "reid_tui.step"
"""Keys of what travels in an exported file, whatever its format."""
IMAGES: Final = "images"
EMBEDDINGS: Final = "embeddings"
"""Names of the graph's input and output."""
_LARGEST: Final = 2**31
"""Bytes; no ONNX file is larger."""
_FATAL: Final = 4
_MOST_THREADS: Final = 8


class OnnxNetwork:
    """Computes on the CPU."""

    def __init__(self, content: bytes) -> None:
        """Take a file's content.

        Raises:
            UsageError: onnxruntime is not installed.
            ValueError: it is no network that onnxruntime can compute.
        """
        try:
            import onnxruntime
        except ImportError as error:
            raise UsageError(
                "exported networks need onnxruntime; install it with: pip install 'reid-tui[export]'"
            ) from error
        options = onnxruntime.SessionOptions()
        options.log_severity_level = _FATAL  # what is wrong comes as an exception too
        options.intra_op_num_threads = _threads()
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session: Any = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # a stranger's file: it refuses them in many ways
            raise ValueError(f"no network that onnxruntime can compute: {_first_line(error)}") from error

    @property
    def metadata(self) -> dict[str, str]:
        """What travels in the file."""
        return dict(self._session.get_modelmeta().custom_metadata_map)

    def fault(self, card: ModelCard) -> str:
        """In what inputs and outputs are not those of the card, or nothing."""
        sides = {"input": self._session.get_inputs(), "output": self._session.get_outputs()}
        found = {side: [(item.name, item.type, item.shape[1:]) for item in items] for side, items in sides.items()}
        wanted = {
            "input": [(IMAGES, "tensor(uint8)", [card.channels, card.height, card.width])],
            "output": [(EMBEDDINGS, "tensor(float)", [card.embedding_dim])],
        }
        for side, expected in wanted.items():
            if found[side] != expected:
                return f"its {side} is {printable(found[side], 200)} instead of {expected}"
        return ""

    def __call__(self, images_NCHW: UInt8Array) -> FloatArray:
        """(N, D) of uint8 pixels."""
        try:
            (points_ND,) = self._session.run([EMBEDDINGS], {IMAGES: np.ascontiguousarray(images_NCHW)})
        except Exception as error:
            raise RunError(f"the exported network cannot be computed: {_first_line(error)}") from error
        found: FloatArray = points_ND
        return found


def open_file(path: Path) -> Model:
    """Open a network that was exported.

    Raises:
        RunError: there is no such file, or it is not one of ours.
        UsageError: onnxruntime is not installed.
    """
    try:
        content = read_regular(path, _LARGEST)
        network = OnnxNetwork(content)
        metadata = network.metadata
        if CARD not in metadata:
            raise ValueError("it does not say how pictures become embeddings")  # noqa: TRY301
        card = card_from(json.loads(metadata[CARD]))
        if fault := network.fault(card):
            raise ValueError(fault)  # noqa: TRY301
    except OSError as error:
        raise RunError(
            f"cannot read {printable(path, 400)}: {printable(why(error), 200)}; name a file of 'reid-tui export'"
        ) from error
    except (ValueError, RecursionError) as error:
        said = "nested too deeply" if isinstance(error, RecursionError) else printable(error, 300)
        raise RunError(
            f"{printable(path, 400)} is not of 'reid-tui export': {said}; export it again, or name a run"
        ) from error
    step = metadata.get(STEP, "")
    return Model(
        network,
        name=path.name,
        step=int(step) if step.isascii() and step.isdigit() and len(step) < 16 else None,
        card=card,
        digest=hashlib.sha256(content).hexdigest(),
    )


def _threads() -> int:
    asked = os.environ.get("OMP_NUM_THREADS", "")
    if asked.isascii() and asked.isdigit() and 0 < int(asked) < 1024:
        return int(asked)
    affinity = getattr(os, "sched_getaffinity", None)
    return min(len(affinity(0)) if affinity else os.cpu_count() or 1, _MOST_THREADS)


def _first_line(error: Exception) -> str:
    return printable(next(iter(str(error).splitlines()), type(error).__name__), 200)
