"""Sends webhooks in threads of its own, so that no caller of the API waits for whoever receives them."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from batchd.sandbox.clock import VirtualClock
from batchd.sandbox.settings import SandboxSettings
from batchd.sandbox.settling import Settler
from batchd.sandbox.state import State
from batchd.sandbox.webhook_faults import COPIES, OLD_SECONDS, WRONG_SECRET
from batchd.sandbox.webhook_message import headers, key_of, post
from batchd.sandbox.webhook_outbox import Outgoing, due, note, subscribe, write_new

PAUSE = 0.1
AT_ONCE = 4


class WebhookSender:
    """Tells the address in the settings of each batch that ends; does nothing while there is none."""

    def __init__(self, settings: SandboxSettings, state: State, clock: VirtualClock, settler: Settler) -> None:
        """Tell of the batches of ``state``."""
        self._settings = settings
        self._state = state
        self._clock = clock
        self._settler = settler
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._under_way: set[str] = set()

    def begin(self) -> None:
        """Send from now on, if the settings say where to; raises ValueError for a secret that is none."""
        if self._settings.webhook_url is None:
            return
        for secret in self._settings.webhook_secrets:
            key_of(secret)
        with self._state.transaction() as connection:
            subscribe(connection, self._clock.now(connection))
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="webhooks", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Stop; what nobody took is sent again by the next start."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="webhook") as pool:
            while not self._stop.wait(PAUSE):
                if self._settings.webhook_url is not None:
                    for outgoing in self._due():
                        self._under_way.add(outgoing.event.id)
                        pool.submit(self._send, self._settings.webhook_url, outgoing)

    def _due(self) -> list[Outgoing]:
        # Batches end when somebody looks at them: here nobody else may.
        self._settler.settle_all(0)
        with self._state.transaction() as connection:
            now = time.time()
            write_new(connection, self._clock.now(connection), now)
            return [one for one in due(connection, now) if one.event.id not in self._under_way]

    def _send(self, url: str, outgoing: Outgoing) -> None:
        body, fault = outgoing.event.body(), outgoing.fault
        # By the real clock, as the receiver's: the virtual one may be days ahead.
        timestamp = int(time.time()) - (OLD_SECONDS if fault == "old" else 0)
        secrets = (WRONG_SECRET,) if fault == "badly_signed" else self._settings.webhook_secrets
        send = partial(post, url, body, headers(outgoing.event.id, timestamp, body, secrets))
        status = None
        for _ in range(COPIES if fault == "repeated" else 1):
            status = send(self._settings.webhook_patience)
        with self._state.transaction() as connection:
            note(connection, outgoing, status, time.time())
            self._under_way.discard(outgoing.event.id)
