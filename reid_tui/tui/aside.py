"""What takes longer than a key may wait: computed in a thread beside the screen's and the trainer's."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

T = TypeVar("T")


class Aside:
    """One thread for all panels, which begins with the first request. Used in the screen's thread only."""

    def __init__(self, done: Callable[[], None]) -> None:
        """Take what is called, in the screen's thread, when something has been computed."""
        self._done = done
        self.results = 0
        """That have come so far."""
        self._asked: dict[str, Hashable] = {}
        self._found: dict[str, tuple[Hashable, Future[Any]]] = {}
        self._waiting: dict[str, tuple[Hashable, Callable[[], object]]] = {}
        self._news = threading.Condition()
        self._loop: asyncio.AbstractEventLoop | None = None

    def ask(self, who: str, key: Hashable, work: Callable[[], T]) -> T | None:
        """What `work` gives, or None until it is there. Of what one asks for only the newest counts.

        Args:
            who: asks.
            key: of the work: what it depends on. The result of the newest key is kept.
            work: called in the other thread.

        Raises:
            Exception: what `work` raised.
        """
        found = self._found.get(who)
        if found is not None and found[0] == key:
            result: T = found[1].result()
            return result
        if who not in self._asked or self._asked[who] != key:
            self._asked[who] = key
            if self._loop is None:
                self._loop, self._context = asyncio.get_running_loop(), contextvars.copy_context()
                threading.Thread(target=self._work, name="reid-tui-aside", daemon=True).start()
            with self._news:
                self._waiting[who] = key, work
                self._news.notify()
        return None

    def _work(self) -> None:
        assert self._loop is not None
        while True:
            with self._news:
                while not self._waiting:
                    self._news.wait()
                who = next(iter(self._waiting))
                key, work = self._waiting.pop(who)
            future: Future[Any] = Future()
            try:
                future.set_result(work())
            except Exception as error:
                future.set_exception(error)
            with contextlib.suppress(RuntimeError):  # the screen is closed
                self._loop.call_soon_threadsafe(self._take, who, key, future, context=self._context)
            del key, work, future

    def _take(self, who: str, key: Hashable, future: Future[Any]) -> None:
        self._found[who] = key, future
        self.results += 1
        self._done()
