"""A daemon that is watched over HTTP: its port, its pages, its samples."""

import contextlib
import http.client
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

from tests.acceptance.cli_world import PATIENCE, World
from tests.leaks import EARS

Labels = frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Page:
    """An answer."""

    status: int
    headers: dict[str, str]
    text: str


@dataclass(frozen=True, slots=True)
class Scrape:
    """Samples by name and labels, and the type of each family as Prometheus's own parser has read it."""

    samples: dict[tuple[str, Labels], float]
    kinds: dict[str, str]

    def value(self, name: str, **labels: str) -> float | None:
        """Of one sample; None where there is none."""
        return self.samples.get((name, frozenset(labels.items())))


@dataclass(frozen=True, slots=True)
class Watched:
    """A running daemon."""

    world: World
    port: int
    process: subprocess.Popen[str]

    def page(self, path: str, method: str = "GET", **headers: str) -> Page:
        """Asks for a page."""
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)) as connection:
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            told = {name.lower(): value for name, value in answer.getheaders()}
            text = answer.read().decode()
            EARS.hear(text, path)
            return Page(answer.status, told, text)

    def scrape(self) -> Scrape:
        """What Prometheus would read now."""
        return parsed(self.page("/metrics").text)

    def until(self, holds: Callable[[Scrape], bool]) -> Scrape:
        """Scrapes again and again, until something is so."""
        deadline = time.monotonic() + PATIENCE
        while not holds(found := self.scrape()):
            assert self.process.poll() is None, "the daemon has ended"
            assert time.monotonic() < deadline, self.page("/metrics").text
            time.sleep(0.1)
        return found

    def end(self) -> int:
        """As systemd ends it; returns its exit code."""
        self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=PATIENCE)
        return self.process.returncode


def parsed(text: str) -> Scrape:
    """A scrape's text, read by Prometheus's parser."""
    families = list(text_string_to_metric_families(text))
    samples = {(one.name, frozenset(one.labels.items())): one.value for family in families for one in family.samples}
    # A counter's family goes without its ending.
    kinds = {f"{one.name}_total" if one.type == "counter" else one.name: one.type for one in families}
    return Scrape(samples, kinds)


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def section(port: int) -> str:
    """What the config says of it."""
    return f"[metrics]\nport = {port}\n"


@contextlib.contextmanager
def watched(world: World, port: int) -> Iterator[Watched]:
    """`batchd run` in a world whose config has that port, from when it answers on."""
    process = world.start("run")
    daemon = Watched(world, port, process)
    try:
        deadline = time.monotonic() + PATIENCE
        while not _answers(daemon):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield daemon
    finally:
        process.kill()
        process.communicate()


def _answers(daemon: Watched) -> bool:
    try:
        return daemon.page("/live").status == http.HTTPStatus.OK
    except OSError:
        return False
