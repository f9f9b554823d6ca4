"""Fetching one file over https: bounded in size and time, verified, and only then under its own name.

What is fetched is data of others: nothing of it is used before its hash is right.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import queue
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, Protocol
from urllib.request import Request

from reid_tui.data.idx.format import IdxFile, read_idx
from reid_tui.errors import DataError, advice
from reid_tui.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from reid_tui.data.dataset import UInt8Array

_CHUNK: Final = 1 << 16
_SLACK: Final = 1 << 16
"""Bytes by which a gzipped file may be larger than its content."""
_STALL_S: Final = 20.0
_AGENT: Final = "reid-tui"


class FetchError(DataError):
    """A file could not be fetched, or what came was not the file."""


class Body(Protocol):
    """What an address answers with; its `headers`, where it has them, tell the length."""

    def read1(self, size: int, /) -> bytes:
        """What has come, at most `size` bytes, after at most one wait; empty at the end."""
        ...

    def close(self) -> None:
        """Hang up."""
        ...


class Opener(Protocol):
    """Opens an address for reading; `timeout_s` bounds each wait for the network."""

    def __call__(self, url: str, timeout_s: float) -> Body:
        """The body as a stream."""
        ...


class _HttpsOnly(urllib.request.HTTPRedirectHandler):
    """Follows a redirect only to https."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: http.client.HTTPMessage, newurl: str
    ) -> Request | None:
        if not newurl.startswith("https://"):
            raise urllib.error.URLError(f"redirected to {printable(newurl)}, which is not https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def open_https(url: str, timeout_s: float) -> Body:
    """Open an https address, through the proxy that the environment names.

    Raises:
        OSError: no network, refused, not found, certificate not trusted, redirected to something else than https.
        ValueError: `url` is not https.
    """
    if not url.startswith("https://"):
        raise ValueError(f"only https is fetched, not {url!r}")
    request = Request(url, headers={"User-Agent": _AGENT})
    stream: http.client.HTTPResponse = urllib.request.build_opener(_HttpsOnly).open(request, timeout=timeout_s)
    return stream


def fetch(
    url: str,
    file: IdxFile,
    folder: Path,
    *,
    deadline: float,
    report: Callable[[str], None],
    opener: Opener = open_https,
    clock: Callable[[], float] = time.monotonic,
) -> UInt8Array:
    """Fetch a gzipped idx file into `folder`, which is made where it is missing.

    The body goes to a temporary name beside the target, is verified, written through to the disk and renamed. On any
    failure nothing of it stays.

    Args:
        url: of the gzipped file.
        file: what it must be; stored as its name + ".gz".
        folder: where it is kept.
        deadline: on `clock`, in seconds; later than that it is given up, even inside a wait for a name server.
        report: told in one-line sentences how far it is.
        opener: opens `url`.
        clock: seconds, monotonic.

    Returns:
        The array that `read_idx` gives.

    Raises:
        FetchError: not reachable, too slow, cut off, too long, wrong hash, or the folder cannot be written.
    """
    target = folder / f"{file.name}.gz"
    report(f"fetching {target.name}: connecting")
    with _opened(url, deadline - clock(), opener) as body:
        stream = _temporary(folder, target)
        temporary = Path(stream.name)
        try:
            with stream:
                for chunk in _chunks(url, body, file, deadline=deadline, report=report, clock=clock):
                    stream.write(chunk)
                stream.flush()
                os.fsync(stream.fileno())
            array = _verified(url, temporary, file)
            temporary.replace(target)
            _sync_folder(folder)
        except OSError as error:
            raise FetchError(
                f"cannot store {printable(target, 400)}: "
                + advice(error, "name another folder with --data-dir", joined=", or ")
            ) from error
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
    return array


def _temporary(folder: Path, target: Path) -> IO[bytes]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=folder)
    except OSError as error:
        raise FetchError(
            f"cannot write to {printable(folder, 400)} ({printable(error.strerror or error)}); name another folder "
            "with --data-dir"
        ) from error
    os.close(descriptor)
    return Path(name).open("wb")


def _verified(url: str, path: Path, file: IdxFile) -> UInt8Array:
    try:
        return read_idx(path, file, gzipped=True)
    except DataError as error:
        reason = str(error).split(" is damaged: ")[-1].split("; remedy: ")[0]
        raise FetchError(f"what {url} sent is not {file.name}.gz: {reason}") from error


def _chunks(
    url: str,
    body: Body,
    file: IdxFile,
    *,
    deadline: float,
    report: Callable[[str], None],
    clock: Callable[[], float],
) -> Iterator[bytes]:
    largest = file.size + _SLACK
    total = _length(body)
    done, told = 0, -1
    while chunk := _read(url, body):
        done += len(chunk)
        if done > largest or (total or 0) > largest:
            raise FetchError(f"{url} sends more than the {largest} bytes that {file.name}.gz can have")
        if clock() > deadline:
            raise FetchError(f"fetching {url} took too long ({done} bytes came)")
        yield chunk
        if (step := 20 * done // (total or largest)) != told:
            told = step
            report(f"fetching {file.name}.gz: {done / 1e6:.1f} of {(total or largest) / 1e6:.1f} MB")
    if total is not None and done < total:
        raise FetchError(f"{url} broke off after {done} of {total} bytes; try again")


def _length(body: Body) -> int | None:
    headers = getattr(body, "headers", None)
    text = (headers.get("Content-Length") or "") if headers is not None else ""
    return int(text) if text.isascii() and text.isdigit() else None


def _read(url: str, body: Body) -> bytes:
    try:
        return body.read1(_CHUNK)
    except (OSError, http.client.HTTPException) as error:
        raise FetchError(f"{url} broke off: {_reason(error)}; try again") from error


def _opened(url: str, timeout_s: float, opener: Opener) -> contextlib.closing[Body]:
    """Open in a thread of its own, because a name server can hold the caller longer than any timeout."""
    answers: queue.SimpleQueue[Body | Exception] = queue.SimpleQueue()
    given_up = threading.Event()

    def work() -> None:
        try:
            answer: Body | Exception = opener(url, min(timeout_s, _STALL_S))
        except urllib.error.HTTPError as error:
            error.close()
            answer = error
        except (OSError, ValueError, http.client.HTTPException) as error:
            answer = error
        answers.put(answer)
        if given_up.is_set():
            _hang_up(answer)

    if timeout_s <= 0:
        raise FetchError(f"no time was left to fetch {url}")
    threading.Thread(target=work, name="reid-tui-fetch", daemon=True).start()
    try:
        answer = answers.get(timeout=min(timeout_s, 2 * _STALL_S))
    except queue.Empty:
        given_up.set()
        if not answers.empty():
            _hang_up(answers.get())
        raise FetchError(f"{url} did not answer in time") from None
    if isinstance(answer, Exception):
        raise FetchError(f"{url} cannot be reached: {_reason(answer)}") from answer
    return contextlib.closing(answer)


def _hang_up(answer: Body | Exception) -> None:
    if not isinstance(answer, Exception):
        answer.close()


def _reason(error: Exception) -> str:
    inner = error.reason if isinstance(error, urllib.error.URLError) else error
    text = inner.strerror if isinstance(inner, OSError) and inner.strerror else inner
    return printable(text) or type(error).__name__


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
