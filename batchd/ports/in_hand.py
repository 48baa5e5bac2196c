"""The batches that this process has in hand: its own leases don't keep its threads apart, for they are one owner's."""

import contextlib
import threading
from collections.abc import Iterator


class InHand:
    """Which thread works on which batch."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._threads: dict[int, int] = {}

    @contextlib.contextmanager
    def taken(self, batch_id: int) -> Iterator[bool]:
        """The batch is this thread's until the end; False where another one has it. A thread may take it again."""
        thread = threading.get_ident()
        with self._lock:
            before = self._threads.get(batch_id)
            is_free = before in {None, thread}
            if is_free:
                self._threads[batch_id] = thread
        try:
            yield is_free
        finally:
            if is_free and before is None:
                with self._lock:
                    del self._threads[batch_id]
