"""The service as systemd would have it: a healthy task beside two in trouble, and people who follow what it says.

One task is misconfigured, one has a vendor account that is out of money. The healthy one is to finish at its usual
pace; the two findings are to be there, and to end by their own next commands; SIGHUP, SIGTERM and SIGKILL in the middle
are to change nothing in how it ends.
"""

import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.drills.report import Line, say
from tests.drills.service_site import PATIENCE, TABLES, Site, TroubleError, site_in

_HEALTHY, _MORE, _POOR, _MISFIT = 700, 700, 300, 300
# A pace is looked at on a noisy machine; what this is to find is a task that waits for another's trouble.
_SLOWEST = 2.0
_SLACK_SECONDS = 5.0
_NO_MONEY = {"routes": [{"route": "batches.create", "status": 429, "code": "insufficient_quota", "times": None}]}


def service(folder: Path) -> Line:
    """The whole story, as a line of the drill's table."""
    line, begun = Line("a service in trouble", "sqlite"), time.monotonic()
    try:
        alone = _usual_pace(folder / "alone")
        line.runs += 1
        _tell_story(folder / "service", alone, line)
        line.runs += 1
    except TroubleError as trouble:
        line.errors.append(str(trouble))
    line.seconds = time.monotonic() - begun
    return line


def _usual_pace(folder: Path) -> float:
    """Seconds that the healthy task takes over its first rows, with nothing beside it."""
    with site_in(folder) as site:
        site.configure("healthy")
        site.run("db", "upgrade")
        site.add("healthy", _HEALTHY)
        return _timed(site, site.service(), lambda: None)


def _timed(site: Site, process: "subprocess.Popen[bytes]", after: Callable[[], None]) -> float:
    """From ready to done, by the healthy task; ``after`` is what is done with the service then, beside its end."""
    begun = time.monotonic()
    site.until(lambda: site.done("healthy") >= _HEALTHY, "the healthy task did not finish")
    took = time.monotonic() - begun
    after()
    _end(site, process)
    return took


def _end(site: Site, process: "subprocess.Popen[bytes]") -> None:
    """SIGTERM: it says that it stops, and ends with 0."""
    stopping = site.said("STOPPING=1")
    process.send_signal(signal.SIGTERM)
    if (code := process.wait(PATIENCE)) != 0:
        raise TroubleError(f"SIGTERM ended the service with {code}")
    if site.said("STOPPING=1") == stopping:
        raise TroubleError("the service did not say that it stops")


def _tell_story(folder: Path, alone: float, line: Line) -> None:
    with site_in(folder) as site:
        site.other.control("PUT", "faults", _NO_MONEY)
        site.configure("healthy", "poor", "misfit")
        site.run("db", "upgrade")
        for table, rows in (("healthy", _HEALTHY), ("poor", _POOR), ("misfit", _MISFIT)):
            site.add(table, rows)

        beside = _timed(site, site.service(), lambda: _hear(site))
        say(f"the healthy task: {alone:.1f} s alone, {beside:.1f} s beside two in trouble")
        if beside > _SLOWEST * alone + _SLACK_SECONDS:
            raise TroubleError(f"the healthy task took {beside:.1f} s beside two in trouble, and {alone:.1f} s alone")
        _disturb_and_mend(site, line)
        _look_at_the_end(site, line)


def _hear(site: Site) -> None:
    """Both are told, and systemd knows how things stand."""
    site.until(lambda: site.findings().keys() >= {"task-unfit", "billing-stop"}, "the two findings were not raised")
    site.until(lambda: site.said("WATCHDOG=1"), "systemd was not told that it is alive")
    site.until(lambda: site.said("STATUS="), "systemd was not told how things stand")


def _disturb_and_mend(site: Site, line: Line) -> None:
    """More rows for the healthy one; meanwhile the service is killed, reloaded and restarted, and people mend."""
    site.add("healthy", _MORE)
    process = site.service()
    site.until(lambda: site.done("healthy") > _HEALTHY, "the healthy task did not go on")
    process.kill()
    process.wait()
    site.killed = process.pid
    line.kills += 1
    process = site.service()
    told = site.findings()
    refused = site.follow(told["task-unfit"]["next_command"])
    if refused.returncode == 0 or "no_such_column" not in refused.stdout + refused.stderr:
        raise TroubleError(f"the next command does not say what is wrong: {refused.stdout}{refused.stderr}")
    # What it says is wrong is mended, and what it says to do then is done.
    site.configure("healthy", "poor", "misfit", misfit_column="name")
    ready = site.said("READY=1")
    process.send_signal(signal.SIGHUP)
    site.until(lambda: site.said("READY=1") > ready, "the config was not read again")
    site.other.control("DELETE", "faults")
    resumed = site.follow(told["billing-stop"]["next_command"])
    if resumed.returncode != 0:
        raise TroubleError(f"the next command failed: {resumed.stderr}")
    site.until(lambda: site.done("poor") > 0 and site.done("misfit") > 0, "the two tasks did not go on")
    _end(site, process)
    process = site.service()
    site.until(lambda: _all_done(site), "the rows were not done")
    _end(site, process)


def _all_done(site: Site) -> bool:
    wanted = {"healthy": _HEALTHY + _MORE, "poor": _POOR, "misfit": _MISFIT}
    done = all(site.done(table) == rows for table, rows in wanted.items())
    return done and not site.sql("SELECT 1 FROM batchd_batch WHERE closed_at IS NULL LIMIT 1")


def _look_at_the_end(site: Site, line: Line) -> None:
    """Each row written once and paid for once, no finding, nothing leased, and ``verify`` agrees."""
    paid: Mapping[str, int] = site.vendor.paid() + site.other.paid()
    if len(paid) != _HEALTHY + _MORE + _POOR + _MISFIT:
        raise TroubleError(f"{len(paid)} inputs were paid for")
    line.faults.paid_twice.extend(text for text, times in paid.items() if times > 1)
    for table in TABLES:
        written = Counter(key for (key,) in site.sql(f"SELECT id FROM {table}_audit"))
        line.faults.applied_twice.extend(f"{table} {key}" for key, times in written.items() if times > 1)
    for what, query in {
        "findings": "SELECT kind FROM batchd_v_findings",
        "gates": "SELECT state, outcome FROM batchd_gate",
        # Killed right after it had closed a batch, a process leaves its name there, and nobody looks any more.
        "leases": f"SELECT id FROM batchd_batch WHERE lease_owner NOT LIKE '%/{site.killed}/%'",
        "tasks' leases": "SELECT id FROM batchd_task WHERE lease_owner IS NOT NULL",
    }.items():
        if left := site.sql(query):
            raise TroubleError(f"{what} are left: {left[:5]}")
    judged = site.run("verify")
    if judged.returncode != 0:
        raise TroubleError(f"verify: {judged.stdout}{judged.stderr}")
    line.faults.unexplained.extend(site.let_out())
