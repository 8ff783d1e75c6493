"""Reading ahead: items are made in a thread while the ones before are used, a few at a time."""

import queue
import threading
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Generic, TypeVar

T = TypeVar("T")
_AHEAD = 2
_LOOK_UP_SECONDS = 0.1


class _End:
    """No more items, or the error that ended them."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


class ReadAhead(Generic[T]):
    """A context whose value iterates over items that a thread makes; an error there is raised here.

    Args:
        items: made one by one in the thread; given up when the context ends early.
    """

    def __init__(self, items: Iterable[T]) -> None:
        self._items = items
        self._waiting: queue.Queue[T | _End] = queue.Queue(maxsize=_AHEAD)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._make, name="read-ahead", daemon=True)

    def __enter__(self) -> Iterator[T]:
        self._thread.start()
        return self._take()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._thread.join()

    def _make(self) -> None:
        end = _End(None)
        try:
            for item in self._items:
                self._put(item)
                if self._stopped.is_set():
                    return
        except BaseException as error:
            end = _End(error)
        self._put(end)

    def _put(self, item: T | _End) -> None:
        while not self._stopped.is_set():
            try:
                self._waiting.put(item, timeout=_LOOK_UP_SECONDS)
            except queue.Full:
                continue
            return

    def _take(self) -> Iterator[T]:
        while True:
            item = self._waiting.get()
            if not isinstance(item, _End):
                yield item
            elif item.error is None:
                return
            else:
                raise item.error
