"""Small stand-ins for the MNIST family, a server on this machine, and the real files where they are."""

from __future__ import annotations

import gzip
import hashlib
import os
import threading
import urllib.request
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import numpy as np
import platformdirs
import pytest

from reid_tui.config import DataOptions
from reid_tui.data import catalog
from reid_tui.data.idx.download import Body, FetchError
from reid_tui.data.idx.format import IdxFile
from reid_tui.data.idx.sets import IdxSource
from reid_tui.data.pedestrians.generate import pedestrians

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from reid_tui.data.dataset import Dataset

TINY_NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


def no_network(url: str, timeout_s: float) -> Body:
    raise OSError(101, "Network is unreachable")


def idx_bytes(array: np.ndarray[Any, Any]) -> bytes:
    head = bytes((0, 0, 8, array.ndim)) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    return head + array.astype(np.uint8).tobytes()


@dataclass(frozen=True)
class Tiny:
    """Four idx files of a few bytes each, and the source that describes them."""

    source: IdxSource
    contents: dict[str, bytes]
    system: Path

    @property
    def names(self) -> tuple[str, ...]:
        return TINY_NAMES

    @property
    def sources(self) -> dict[str, IdxSource]:
        return dict.fromkeys(("fashion-mnist", "mnist", "kmnist"), self.source)

    def put(self, folder: Path, *, packed: bool = True, names: tuple[str, ...] = TINY_NAMES) -> Path:
        """Write the files into a folder, as they are published or extracted."""
        folder.mkdir(parents=True, exist_ok=True)
        for name in names:
            content = self.contents[name]
            (folder / (f"{name}.gz" if packed else name)).write_bytes(gzip.compress(content) if packed else content)
        return folder

    def load(self, spec: str = "fashion-mnist", data_dir: Path | None = None, **options: Any) -> Dataset:
        options.setdefault("opener", no_network)
        options.setdefault("report", lambda line: None)
        wanted = DataOptions(data=spec, data_dir=None if data_dir is None else str(data_dir))
        return catalog.load(wanted, sources=self.sources, **options)


@pytest.fixture
def tiny_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tiny:
    """With a user folder of its own and nothing in the environment."""
    rng = np.random.default_rng(0)
    arrays = (
        rng.integers(0, 256, (6, 4, 4)),
        np.array([0, 1, 2, 0, 1, 2]),
        rng.integers(0, 256, (3, 4, 4)),
        np.array([0, 1, 2]),
    )
    contents = {name: idx_bytes(array) for name, array in zip(TINY_NAMES, arrays, strict=True)}
    a, b, c, d = (
        IdxFile(name, array.shape, sha256=hashlib.sha256(contents[name]).hexdigest())
        for name, array in zip(TINY_NAMES, arrays, strict=True)
    )
    system = tmp_path / "system"
    source = IdxSource(
        name="fashion-mnist",
        title="Fashion-MNIST",
        files=(a, b, c, d),
        url="https://example.invalid/tiny/",
        torchvision="FashionMNIST",
        system=(str(system),),
        identity_names=("ankle", "boot", "coat"),
    )
    monkeypatch.delenv("REID_TUI_DATA", raising=False)
    monkeypatch.setattr(platformdirs, "user_data_path", lambda *args, **kwargs: tmp_path / "user")
    return Tiny(source, contents, system)


@dataclass
class Site:
    """A server on this machine that answers by path, and an opener that leads every address to it."""

    address: str
    bodies: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    length: Callable[[bytes], int | None] = len
    """Of the body, as the server claims it; None leaves the claim out."""
    endless: bool = False

    def open(self, url: str, timeout_s: float) -> Body:
        name = url.rsplit("/", 1)[-1]
        body: Body = urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
            f"{self.address}/{name}", timeout=timeout_s
        )
        return body


@pytest.fixture
def site() -> Iterator[Site]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.lstrip("/")
            served.asked.append(name)
            body = served.bodies.get(name)
            if body is None:
                self.send_error(404)
                return
            self.send_response(200)
            if (claimed := served.length(body)) is not None:
                self.send_header("Content-Length", str(claimed))
            self.end_headers()
            try:
                self.wfile.write(body)
                while served.endless:
                    self.wfile.write(bytes(1 << 16))
            except OSError:
                self.close_connection = True

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served = Site(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="session")
def people_set() -> Dataset:
    return pedestrians()


@pytest.fixture(scope="session")
def fashion_mnist() -> Dataset:
    """The real files; nothing is fetched for a test."""
    try:
        return catalog.load(DataOptions(data="fashion-mnist"), lambda *_: None, opener=no_network)
    except FetchError as error:
        if os.environ.get("REID_TUI_REQUIRE_REAL") == "1":
            pytest.fail(f"REID_TUI_REQUIRE_REAL=1, but {error}")
        pytest.skip("Fashion-MNIST is not on this machine")
