"""The table of the conformance suite: by it one sees what ran where."""

from typing import Literal

import pytest

from tests.conformance_table import conformance_table
from tests.servers.given import NOT_RUN

STORES = "tests/conformance/test_stores_rows.py::test_a"


def _report(
    nodeid: str, outcome: Literal["passed", "failed", "skipped"], longrepr: str | None = None
) -> pytest.TestReport:
    return pytest.TestReport(nodeid, ("", 0, ""), {}, outcome, longrepr, "call")


def test_tests_are_counted_by_what_they_ran_on() -> None:
    """What was skipped for want of a server is told from what does not apply; other suites don't count."""
    stats = {
        "passed": [
            _report(f"{STORES}[sqlite]", "passed"),
            _report(f"{STORES}[mariadb-1-date-usual]", "passed"),
            _report("tests/conformance/test_mssql_errors.py::test_a[odbc18-1205]", "passed"),
            _report("tests/unit/test_x.py::test_a[sqlite]", "passed"),
        ],
        "failed": [_report(f"{STORES}[mariadb]", "failed")],
        "error": [_report(f"{STORES}[mssql-freetds]", "failed")],
        "skipped": [
            _report(f"{STORES}[sqlite]", "skipped", "no roles"),
            _report(f"{STORES}[mssql-odbc18]", "skipped", f"{NOT_RUN}SQL Server"),
        ],
    }

    head, *rows = conformance_table(stats)

    assert ["conformance", "suite", "passed", "failed", "not", "for", "it", "not", "run"] == head.split()
    assert {
        "SQLite": [1, 0, 1, 0],
        "PostgreSQL": [0, 0, 0, 0],
        "MariaDB": [1, 1, 0, 0],
        "SQL Server, Microsoft's driver": [0, 0, 0, 1],
        "SQL Server, FreeTDS": [0, 1, 0, 0],
        "fake TDS server, both drivers": [1, 0, 0, 0],
    } == {row[:32].strip(): [int(number) for number in row[32:].split()] for row in rows}


def test_a_run_without_such_tests_has_no_table() -> None:
    """Nor does one of the unit tests alone."""
    assert [] == list(conformance_table({"passed": [_report("tests/unit/test_x.py::test_a[sqlite]", "passed")]}))
