"""The receiver of webhooks before a ledger of the stage tests, spoken to over real HTTP by the sandbox's own code."""

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from batchd.core.webhooks import signing_key
from batchd.ports import Store
from batchd.sandbox.webhook_message import Event, headers, post
from batchd.serving import serving
from batchd.webhooks.bell import Bell
from batchd.webhooks.door import Door
from batchd.webhooks.front import front
from batchd.webhooks.refusals import Refusals
from tests.stages.bench import Bench

SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"
PATIENCE = 20.0


@dataclass
class Receiver:
    """A receiver at work.

    Attributes:
        url: where it listens.
        woken: accounts that it woke, in order.
    """

    url: str
    woken: list[str] = field(default_factory=list)
    _news: threading.Condition = field(default_factory=threading.Condition)

    def wake(self, account: str) -> None:
        with self._news:
            self.woken.append(account)
            self._news.notify_all()

    def wait_for_wakes(self, number: int) -> None:
        """Until it woke so often."""
        with self._news:
            came = self._news.wait_for(lambda: len(self.woken) >= number, PATIENCE)
        assert came, f"woken {len(self.woken)} times, not {number}"

    def send(
        self,
        batch_id: str,
        *,
        event_id: str = "evt_1",
        kind: str = "batch.completed",
        secret: str = SECRET,
        away: int = 0,
        sent_body: bytes | None = None,
    ) -> int | None:
        """Signs and sends an event; ``away`` is how far its time is from now. Returns the status."""
        body = Event(event_id, kind, 1_795_132_800, batch_id).body()
        signed = headers(event_id, int(time.time()) + away, body, [secret])
        return post(self.url, body if sent_body is None else sent_body, signed, PATIENCE)

    def settle(self, batch_id: str) -> None:
        """Returns once all that was sent before has reached the ledger: a further batch, put off, was made due."""
        before = len(self.woken)
        assert 200 == self.send(batch_id, event_id=f"evt_last_{time.monotonic_ns()}")
        self.wait_for_wakes(before + 1)


@contextlib.contextmanager
def receiver_at(bench: Bench, store: Store | None = None, check_interval: float = 60.0) -> Iterator[Receiver]:
    """A receiver for the account ``fake``."""
    receiver, refusals = Receiver(""), Refusals(time.monotonic)
    bell = Bell(store or bench.place.store, receiver.wake, check_interval, refusals)
    door = Door({"fake": [signing_key(SECRET)]}, time.time)
    app = front("/webhooks", door, bell, refusals)
    with bell.at_work(), serving(app, "127.0.0.1", 0, configured_as="webhooks.port") as port:
        receiver.url = f"http://127.0.0.1:{port}/webhooks"
        yield receiver
