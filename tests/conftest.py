"""What every test gets: an environment in which nothing of the reader's own set-up shows through."""

import os
import signal
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path

import hypothesis
import pytest
import structlog

from batchd.cli.lines import carry_config
from tests import leaks
from tests.conformance_table import conformance_table
from tests.servers.given import NOT_RUN

# A busy machine is no reason for a test to fail.
hypothesis.settings.register_profile("batchd", deadline=None)
hypothesis.settings.load_profile("batchd")


def pytest_configure(config: pytest.Config) -> None:
    """Whatever is said from here on is searched for what must not be said."""
    leaks.install(config)
    _take_signals()


def _take_signals() -> None:
    """As from a terminal: whoever runs the tests in the background, or with nohup, hands on that they are ignored."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the reader's own config and keys: a test must never reach a real vendor or database."""
    for name in list(os.environ):
        if name.startswith(("BATCHD_", "OPENAI_", "AZURE_", "IDENTITY_", "MSI_")):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _no_command_left_over() -> Iterator[None]:
    """One that ran in this process logs to the stderr of its test, and would have later ones told with its config."""
    yield
    structlog.reset_defaults()
    carry_config(None)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Skips for want of a server say one place, so that pytest lists them in one line and not in hundreds."""
    report = yield
    if _reason(report).startswith(NOT_RUN):
        report.longrepr = (__file__, 1, _reason(report))
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None]:
    """Below pytest's own last line: the suite by databases, what could not run here, and how many tests that is."""
    yield
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None:
        return  # one of several processes, whose reports are another's
    for line in conformance_table(reporter.stats):
        reporter.write_line(line)
    lines = _not_run(reporter.stats.get("skipped", []))
    for line in lines:
        reporter.write_line(line, yellow=True)
    # scripts/test says them again when all is done.
    if "BATCHD_TEST_NOT_RUN" in os.environ:
        Path(os.environ["BATCHD_TEST_NOT_RUN"]).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def _not_run(skipped: Sequence[pytest.TestReport]) -> list[str]:
    counts = Counter(reason for reason in map(_reason, skipped) if reason.startswith(NOT_RUN))
    return [f"{reason}: {count} {'test' if count == 1 else 'tests'}" for reason, count in sorted(counts.items())]


def _reason(report: pytest.TestReport) -> str:
    if report.skipped and isinstance(report.longrepr, tuple):
        return report.longrepr[2].removeprefix("Skipped: ")
    return ""
