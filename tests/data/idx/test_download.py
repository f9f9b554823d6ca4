from __future__ import annotations

import gzip
import io
import threading
import time
import urllib.error
from http.client import HTTPMessage
from typing import TYPE_CHECKING
from urllib.request import Request

import pytest

from reid_tui.data.idx import download
from reid_tui.data.idx.download import Body, FetchError, Opener, fetch

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from tests.data.conftest import Site, Tiny

NAME = "train-images-idx3-ubyte"
URL = f"https://example.invalid/tiny/{NAME}.gz"


def fetch_first(tiny_files: Tiny, folder: Path, opener: Opener, *, seconds: float = 60.0) -> np.ndarray:
    return fetch(
        URL,
        tiny_files.source.files[0],
        folder,
        deadline=time.monotonic() + seconds,
        report=lambda line: None,
        opener=opener,
    )


def test_right_file_is_kept_under_its_name_and_nothing_else(tiny_files: Tiny, tmp_path: Path, site: Site) -> None:
    site.bodies[f"{NAME}.gz"] = packed = gzip.compress(tiny_files.contents[NAME])
    found = fetch_first(tiny_files, tmp_path / "new" / "folder", site.open)
    assert found.tobytes() == tiny_files.contents[NAME][16:]
    assert [path.name for path in (tmp_path / "new" / "folder").iterdir()] == [f"{NAME}.gz"]
    assert (tmp_path / "new" / "folder" / f"{NAME}.gz").read_bytes() == packed


def test_length_need_not_be_told(tiny_files: Tiny, tmp_path: Path, site: Site) -> None:
    site.bodies[f"{NAME}.gz"] = gzip.compress(tiny_files.contents[NAME])
    site.length = lambda body: None
    assert fetch_first(tiny_files, tmp_path, site.open).shape == (6, 4, 4)


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("truncated", "broke off after"),
        ("truncated quietly", "no complete gzip data"),
        ("other", "SHA-256 expected [0-9a-f]{64}, found [0-9a-f]{64}"),
        ("page", "no complete gzip data"),
        ("bomb", "more than the 112 bytes"),
        ("endless", "sends more than the 65648 bytes"),
        ("claims much", "sends more than the 65648 bytes"),
        ("missing", "cannot be reached: Not Found"),
    ],
)
def test_wrong_answer_leaves_nothing(tiny_files: Tiny, tmp_path: Path, site: Site, case: str, message: str) -> None:
    packed = gzip.compress(tiny_files.contents[NAME])
    match case:
        case "truncated":
            site.length = lambda body: len(body) + 10
        case "truncated quietly":
            packed = packed[:-4]
        case "other":
            packed = gzip.compress(tiny_files.contents[NAME][:-1] + b"?")
        case "page":
            packed = b"<html>Sign in to the hotel's network</html>"
        case "bomb":
            packed = gzip.compress(bytes(1_000_000))
        case "endless":
            site.endless, site.length = True, lambda body: None
        case "claims much":
            site.length = lambda body: 10**12
    if case != "missing":
        site.bodies[f"{NAME}.gz"] = packed
    with pytest.raises(FetchError, match=message) as caught:
        fetch_first(tiny_files, tmp_path / "d", site.open)
    assert str(caught.value).isprintable()
    assert not list(tmp_path.rglob("*.gz*"))


def test_earlier_file_stays_when_a_fetch_fails(tiny_files: Tiny, tmp_path: Path, site: Site) -> None:
    (tmp_path / f"{NAME}.gz").write_bytes(b"earlier")
    site.bodies[f"{NAME}.gz"] = b"broken"
    with pytest.raises(FetchError):
        fetch_first(tiny_files, tmp_path, site.open)
    assert (tmp_path / f"{NAME}.gz").read_bytes() == b"earlier"


def test_time_is_bounded_while_data_comes(tiny_files: Tiny, tmp_path: Path) -> None:
    hours = iter(range(0, 100_000, 3600))
    with pytest.raises(FetchError, match="took too long"):
        fetch(
            URL,
            tiny_files.source.files[0],
            tmp_path,
            deadline=5000.0,
            report=lambda line: None,
            opener=lambda url, timeout_s: _Trickle(),
            clock=lambda: next(hours),
        )
    assert not list(tmp_path.iterdir())


class _Trickle(io.BytesIO):
    """A byte at a time, for ever."""

    def read1(self, size: int | None = -1, /) -> bytes:
        return b"."


def test_opening_that_hangs_is_given_up_and_hung_up_later(tiny_files: Tiny, tmp_path: Path) -> None:
    answered, closed = threading.Event(), threading.Event()

    class Late(io.BytesIO):
        def close(self) -> None:
            closed.set()
            super().close()

    def hang(url: str, timeout_s: float) -> Body:
        answered.wait()
        return Late()

    with pytest.raises(FetchError, match="did not answer in time"):
        fetch_first(tiny_files, tmp_path / "d", hang, seconds=0.02)
    answered.set()
    assert closed.wait(10)
    assert not (tmp_path / "d").exists()


def test_no_time_left_opens_nothing(tiny_files: Tiny, tmp_path: Path) -> None:
    def never(url: str, timeout_s: float) -> Body:
        raise AssertionError

    with pytest.raises(FetchError, match="no time was left"):
        fetch_first(tiny_files, tmp_path, never, seconds=-1.0)


def test_folder_that_cannot_be_written_is_named(tiny_files: Tiny, tmp_path: Path, site: Site) -> None:
    site.bodies[f"{NAME}.gz"] = gzip.compress(tiny_files.contents[NAME])
    (tmp_path / "file").write_text("")
    with pytest.raises(FetchError, match=r"cannot write to .*file/d .*--data-dir"):
        fetch_first(tiny_files, tmp_path / "file" / "d", site.open)


def test_full_disk_leaves_nothing(
    tiny_files: Tiny, tmp_path: Path, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.bodies[f"{NAME}.gz"] = gzip.compress(tiny_files.contents[NAME])

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(download.os, "fsync", full)
    with pytest.raises(FetchError, match=r"cannot store .*No space left on device"):
        fetch_first(tiny_files, tmp_path, site.open)
    assert not list(tmp_path.iterdir())


def test_only_https_is_opened() -> None:
    with pytest.raises(ValueError, match="only https"):
        download.open_https("http://127.0.0.1/", 1.0)


def test_redirect_to_something_else_than_https_is_refused() -> None:
    handler = download._HttpsOnly()
    request = Request("https://example.invalid/a")
    arguments = (request, io.BytesIO(), 302, "Found", HTTPMessage())
    with pytest.raises(urllib.error.URLError, match="not https"):
        handler.redirect_request(*arguments, "http://example.invalid/b")
    followed = handler.redirect_request(*arguments, "https://example.invalid/b")
    assert followed is not None
    assert followed.full_url == "https://example.invalid/b"
