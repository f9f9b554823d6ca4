"""Weights that a network starts from, other than drawn ones: torchvision's, or those of another run.

What is torchvision's lies where torch keeps what it fetched, under names that carry the beginning of their SHA-256. A
file is opened only after that was found right, and nothing but tensors is read from it.
"""

from __future__ import annotations

import hashlib
import http.client
import re
import shutil
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlsplit

import torch

from reid_tui.errors import CheckpointError, UsageError, advice
from reid_tui.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor, nn

NETWORK: Final = "network."
"""Beginning of the names of the network's tensors in a checkpoint."""
_STALL_S: Final = 20.0
_OLD_DENSE: Final = re.compile(r"(denselayer\d+\.(?:norm|conv))\.([12]\.)")
_AUXILIARY: Final = ("aux1.", "aux2.", "AuxLogits.")


class PublishedWeights(NamedTuple):
    """The best weights that torchvision names for one of its networks."""

    url: str
    side: int
    """Least height and width of the images that a network with these weights takes, in pixels."""


def published_weights(name: str) -> PublishedWeights:
    """Look up the weights for a network of torchvision; nothing is fetched."""
    from torchvision import models  # type: ignore[import-untyped]

    weights = models.get_model_weights(name).DEFAULT
    return PublishedWeights(weights.url, weights.meta["min_size"][0])


def weights_file(name: str) -> Path:
    """Where the weights for a network lie, or would."""
    return Path(torch.hub.get_dir()) / "checkpoints" / Path(urlsplit(published_weights(name).url).path).name


def fetch_pretrained(name: str, report: Callable[[str], None] = lambda _: None) -> Path:
    """See that the weights for a network are in the cache, whole.

    Args:
        name: of a torchvision network.
        report: told in one line before anything is fetched.

    Returns:
        The file.

    Raises:
        UsageError: they are not there and cannot be fetched, or what is there is not what its name says.
    """
    file, url = weights_file(name), published_weights(name).url
    if not file.exists():
        report(f"fetching {file.name}")
        _fetch(url, file)
    if wrong := _wrong_hash(file, file.name):
        raise UsageError(f"{printable(file, 400)} is cut, or of another network ({wrong}); remove it and try again")
    return file


def load_pretrained(network: nn.Module, name: str) -> None:
    """Put torchvision's weights into one of its networks.

    Raises:
        UsageError: they cannot be had, or are of another network.
    """
    file = fetch_pretrained(name)
    # torchvision would not ask for tensors only, nor look at the hash of a file that is there already.
    state = torch.hub.load_state_dict_from_url(published_weights(name).url, map_location="cpu", weights_only=True)
    for key in list(state):  # in place: the version that a layer was saved with is an attribute of the dictionary
        value = state.pop(key)
        if not key.startswith(_AUXILIARY):
            state[_OLD_DENSE.sub(r"\1\2", key)] = value
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise UsageError(f"{printable(file, 400)} holds the weights of another network than {name}") from error


def _wrong_hash(file: Path, name: str) -> str:
    """In what a file is not what its name says, or nothing."""
    found = re.search(r"-([0-9a-f]{8,64})\.", name)
    if not found:
        return "its name tells no hash"
    try:
        with file.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise UsageError(f"{printable(file, 400)} cannot be read: {advice(error, '')}") from error
    return "" if digest.startswith(found[1]) else f"SHA-256 {digest[: len(found[1])]} instead of {found[1]}"


def _fetch(url: str, target: Path) -> None:
    """Fetch into the target's folder under another name, and give it its own when it is whole."""
    folder = target.parent
    by_hand = f"fetch {url} yourself and put it into {printable(folder, 400)}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".fetching-", dir=folder) as temporary:
            part = Path(temporary) / target.name
            with urllib.request.urlopen(url, timeout=_STALL_S) as body, part.open("wb") as file:
                shutil.copyfileobj(body, file)
            if wrong := _wrong_hash(part, target.name):
                raise UsageError(f"what came for {target.name} is not that file ({wrong}); try again, or {by_hand}")
            part.replace(target)
    except (urllib.error.URLError, TimeoutError, ConnectionError, http.client.HTTPException) as error:
        reason = printable(getattr(error, "reason", error)) or type(error).__name__
        raise UsageError(f"the weights {target.name} cannot be fetched ({reason}); {by_hand}") from error
    except OSError as error:
        raise UsageError(f"the weights {target.name} cannot be stored: {advice(error, by_hand)}") from error


def put_weights(module: nn.Module, tensors: dict[str, Tensor], *, assign: bool = False) -> None:
    """Put tensors into a module by their names in it; those that are not given stay.

    Some layers of torchvision's want to know which version of them was saved. Names and tensors do not tell: a
    checkpoint's are of the layers' own.

    Args:
        module: to change.
        tensors: of the module's shapes.
        assign: let them take the place of the module's own, which then need no memory.
    """
    state = module.state_dict()
    state.update(tensors)
    module.load_state_dict(state, assign=assign)


def take_weights(network: nn.Module, tensors: dict[str, Tensor]) -> list[str]:
    """Start a network from the weights of another run.

    Args:
        network: takes every tensor that the other has under the same name and in the same shape.
        tensors: of the other run's checkpoint; its network's names begin with `network.`.

    Returns:
        Names of the tensors that stay as they were drawn, because the other's have another shape, as an embedding
        layer of other dimensions has, or because the other has no BNNeck.

    Raises:
        UsageError: the other is another architecture. Nothing is changed.
    """
    theirs = {name.removeprefix(NETWORK): value for name, value in tensors.items() if name.startswith(NETWORK)}
    mine = network.state_dict()
    odd = sorted(name for name in mine.keys() ^ theirs.keys() if not name.startswith("neck."))
    fitting = {name: value for name, value in theirs.items() if name in mine and mine[name].shape == value.shape}
    if odd or 2 * len(fitting) < len(mine):
        if odd:
            what = f"{printable(odd[0])} is {'here' if odd[0] in mine else 'there'} only"
        else:
            what = f"only {len(fitting)} of {len(mine)} tensors have the same shape"
        raise UsageError(f"--init names a run of another network: {what}; give that run's own --model")
    put_weights(network, fitting)
    return [name for name in mine if name not in fitting]


def fitting(
    module: nn.Module,
    tensors: dict[str, Tensor],
    start: str,
    remedy: str = "resume with the run's own --model, --embedding-dim and --data",
) -> dict[str, Tensor]:
    """A module's tensors out of a checkpoint's.

    Args:
        module: whose names, shapes and types they must have.
        tensors: of a checkpoint.
        start: with what their names begin there.
        remedy: what to do where they are of another network.

    Raises:
        CheckpointError: names, shapes or types are those of another network.
    """
    given = {name.removeprefix(start): value for name, value in tensors.items() if name.startswith(start)}
    mine = module.state_dict()
    for name in sorted(mine.keys() | given.keys()):
        here = tuple(mine[name].shape) if name in mine else "no such tensor"
        there = tuple(given[name].shape) if name in given else "no such tensor"
        if here != there:
            raise CheckpointError(
                f"the checkpoint is of another network: {printable(name)} is {there} there and {here} here; {remedy}"
            )
        if given[name].dtype != mine[name].dtype:
            raise CheckpointError(
                f"the checkpoint is damaged: {name} is {given[name].dtype} there and {mine[name].dtype} here"
            )
    return given
