"""A network's graph and weights as a file's content, with what is needed to use it, and that content at work again.

Graphs take uint8 pixels and do all that comes before the network themselves; their batch may have any size.
Legend: N images, C channels, H height, W width, D embedding dimensions.
"""

from __future__ import annotations

import copy
import io
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import safetensors.torch
import torch
from torch import Tensor, nn

from reid_tui.learning.networks import to_input
from reid_tui.learning.weights import put_weights
from reid_tui.using.onnx_network import EMBEDDINGS, IMAGES, OnnxNetwork

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reid_tui.training.card import ModelCard
    from reid_tui.using.model import Network

OPSET: Final = 18
"""Of ONNX: known to every onnxruntime since 1.14."""


class _FromPixels(nn.Module):
    """A network with its preprocessing."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Any:  # noqa: ANN401
        """(N, D) of (N, C, H, W) uint8."""
        return self.network(images.to(torch.float32) / 255.0).float()


def as_onnx(network: nn.Module, card: ModelCard, told: Mapping[str, str]) -> bytes:
    """As an ONNX file. Where in a source an operation comes from is left out, since that names folders of this machine.

    Args:
        network: from 0..1 to embeddings, in evaluation mode.
        card: its sizes.
        told: what travels along.

    Raises:
        ValueError: it cannot be exported, or is too large for the format.
    """
    model: Any = torch.onnx.export(
        _FromPixels(network).eval(),
        (_example(card),),
        input_names=[IMAGES],
        output_names=[EMBEDDINGS],
        dynamic_shapes=(_any_batch(),),
        opset_version=OPSET,
        dynamo=True,
        verbose=False,
    )
    proto = model.model_proto
    for part in (*proto.graph.node, *proto.graph.value_info, *proto.graph.input, *proto.graph.output):
        del part.metadata_props[:]
        part.doc_string = ""
    for name, value in told.items():
        proto.metadata_props.add(key=name, value=value)
    content: bytes = proto.SerializeToString()
    return content


def as_pt2(network: nn.Module, card: ModelCard, told: Mapping[str, str]) -> bytes:
    """As a program of torch.export, what travels along as extra files; see `as_onnx`."""
    program = torch.export.export(_FromPixels(network).eval(), (_example(card),), dynamic_shapes=(_any_batch(),))
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)
    content = io.BytesIO()
    torch.export.save(program, content, extra_files=dict(told))
    return content.getvalue()


def as_safetensors(network: nn.Module, card: ModelCard, told: Mapping[str, str]) -> bytes:
    """Weights alone, by the names that they have in the network; see `as_onnx`."""
    weights = {name: value.contiguous() for name, value in network.state_dict().items()}
    return safetensors.torch.save(weights, metadata=dict(told))


def _from_onnx(content: bytes, network: nn.Module) -> Network:
    return OnnxNetwork(content)


def _from_pt2(content: bytes, network: nn.Module) -> Network:
    program: Any = torch.export.load(io.BytesIO(content)).module()
    return lambda images_NCHW: program(torch.from_numpy(images_NCHW)).detach().numpy()


def _from_safetensors(content: bytes, network: nn.Module) -> Network:
    again = copy.deepcopy(network)
    put_weights(again, safetensors.torch.load(content))
    return lambda images_NCHW: again(to_input(torch.from_numpy(images_NCHW))).detach().numpy()


class Format(NamedTuple):
    """How a network becomes a file's content, and how somebody computes with that."""

    write: Callable[[nn.Module, ModelCard, Mapping[str, str]], bytes]
    read: Callable[[bytes, nn.Module], Network]


FORMATS: Final = {
    ".onnx": Format(as_onnx, _from_onnx),
    ".safetensors": Format(as_safetensors, _from_safetensors),
    ".pt2": Format(as_pt2, _from_pt2),
}
"""By the ending of the file."""


def _example(card: ModelCard) -> Tensor:
    """Two images: of one torch would take the batch for fixed."""
    return torch.zeros((2, card.channels, card.height, card.width), dtype=torch.uint8)


def _any_batch() -> dict[int, Any]:
    return {0: torch.export.Dim("batch", min=1)}
