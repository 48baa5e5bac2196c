"""The conformance suite by databases and drivers, as a table below pytest's own lines."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import pytest

from tests.servers.given import NOT_RUN

_SUITE = "tests/conformance/"
# A test's parameters name what it runs on.
_DATABASES = {
    "sqlite": "SQLite",
    "postgresql": "PostgreSQL",
    "mariadb": "MariaDB",
    "odbc18": "SQL Server, Microsoft's driver",
    "freetds": "SQL Server, FreeTDS",
}
# A small server of our own, that speaks TDS and answers whatever it is told to.
_FAKE = "fake TDS server, both drivers"
_ON_FAKE = ("test_mssql_connecting", "test_mssql_entra", "test_mssql_errors", "test_mssql_texts", "test_tds_sessions")
_COLUMNS = ("passed", "failed", "not for it", "not run")


def conformance_table(stats: Mapping[str, Sequence[object]]) -> Iterator[str]:
    """A line for each database that tests were run on, or should have been; none where there were no such tests.

    Args:
        stats: pytest's reports, by what became of the test.
    """
    counts = Counter(_counted(stats))
    if not counts:
        return
    yield f"{'conformance suite':32}" + "".join(f"{column:>12}" for column in _COLUMNS)
    for name in (*_DATABASES.values(), _FAKE):
        yield f"{name:32}" + "".join(f"{counts[name, column]:>12,}" for column in _COLUMNS)


def _counted(stats: Mapping[str, Sequence[object]]) -> Iterator[tuple[str, str]]:
    for outcome in ("passed", "failed", "error", "skipped"):
        for report in _tests(stats.get(outcome, ())):
            name = _database(report.nodeid)
            if name:
                yield name, _column(outcome, report)


def _tests(reports: Iterable[object]) -> Iterator[pytest.TestReport]:
    return (one for one in reports if isinstance(one, pytest.TestReport) and one.nodeid.startswith(_SUITE))


def _database(nodeid: str) -> str:
    words = re.findall(r"[a-z0-9]+", nodeid.partition("[")[2])
    name = next((_DATABASES[word] for word in words if word in _DATABASES), "")
    return _FAKE if name and any(file in nodeid for file in _ON_FAKE) else name


def _column(outcome: str, report: pytest.TestReport) -> str:
    if outcome == "skipped":
        return "not run" if NOT_RUN in str(report.longrepr) else "not for it"
    return "passed" if outcome == "passed" else "failed"
