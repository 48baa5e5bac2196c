"""The queries of the dashboard and of the alert rules, against a real scrape of a daemon at work.

What needs Prometheus itself is counted as NOT RUN where Debian's package `prometheus` is not installed; CI has it.
"""

import json
import re
import shutil
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from batchd.core.findings import AT_STAKE, KINDS, page_of
from tests.acceptance.cli_world import PATIENCE, REPOSITORY, World
from tests.acceptance.watched import Scrape, Watched, free_port, section, watched
from tests.small_disk import not_run

DASHBOARD = REPOSITORY / "packaging" / "grafana" / "batchd.json"
ALERTS = REPOSITORY / "packaging" / "prometheus" / "batchd-alerts.yml"
HOW_TO = REPOSITORY / "docs" / "how-to" / "watch-with-prometheus.md"
# What Grafana puts in; the instance is filled in by each test.
VARIABLES = {"$task": ".*", "$__rate_interval": "1m"}
GIVEN_BY_PROMETHEUS = {"instance", "job", "le"}
RULE = re.compile(r"- alert: (?P<name>\w+)\n +expr: \|\n(?P<expr>(?: {10}.*\n)+)(?P<rest>(?:.+\n)+)")


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A server that scrapes one daemon every second, with our alert rules."""

    url: str
    instance: str

    def ask(self, path: str, **parameters: str) -> Any:
        """What its API says. Fails the test where it refuses."""
        query = urllib.parse.urlencode(parameters)
        with urllib.request.urlopen(f"{self.url}/api/v1/{path}?{query}", timeout=PATIENCE) as answer:  # noqa: S310
            told = json.load(answer)
        assert told["status"] == "success", told
        return told["data"]

    def samples(self, query: str) -> list[Any]:
        """What a query comes to now."""
        found: list[Any] = self.ask("query", query=query)["result"]
        return found


def panels() -> dict[str, str]:
    """Queries of the dashboard, by the titles of their panels."""
    found = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    return {panel["title"]: target["expr"] for panel in found for target in panel["targets"]}


def variables() -> list[str]:
    """What the dashboard asks for its variables: the metric, and the label of it."""
    listed = json.loads(DASHBOARD.read_text(encoding="utf-8"))["templating"]["list"]
    return [one["definition"] for one in listed if one["type"] == "query"]


def rules() -> dict[str, tuple[str, str]]:
    """Query and all that follows of each alert rule, by its name."""
    text = ALERTS.read_text(encoding="utf-8")
    found = {one["name"]: (one["expr"], one["rest"]) for one in RULE.finditer(f"{text}\n")}
    assert len(found) == text.count("- alert:")
    return found


def queries() -> dict[str, str]:
    return panels() | {name: expr for name, (expr, _) in rules().items()}


def filled_in(query: str, instance: str) -> str:
    for name, value in (VARIABLES | {"$instance": instance}).items():
        query = query.replace(name, value)
    return query


def metrics_of(query: str) -> set[str]:
    return set(re.findall(r"\bbatchd_\w+", query))


def labels_of(query: str) -> set[str]:
    """Labels that it selects or groups by."""
    selected = [name for part in re.findall(r"{([^}]*)}", query) for name in re.findall(r"(\w+) *[=!]", part)]
    grouped = [name for part in re.findall(r"\b(?:by|on) \(([^)]*)\)", query) for name in re.findall(r"\w+", part)]
    return {*selected, *grouped}


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """At work throughout, with more rows to do than it gets done; a finding is open."""
    world, port = World(tmp_path_factory.mktemp("watched")), free_port()
    world.make_table(3000)
    world.make_ledger()
    pace = '"0.2s"\nsweep_interval = "0.2s"\n' + section(port)
    world.write_config(check_interval=pace, batch_duration='"0.5s"', batch_size="5\nmax_open_batches = 1")
    world.sql(
        "INSERT INTO batchd_finding (kind, subject, detail, next_command, opened_at, priority)"
        " VALUES ('overdue', 'batch 0', '', '', '2026-01-01 00:00:00.000', 2)"
    )
    with watched(world, port) as running:
        yield running


@pytest.fixture(scope="module")
def scrape(daemon: Watched) -> Scrape:
    """Once it has written something, and left something."""
    return daemon.until(
        lambda scrape: (
            bool(scrape.value("batchd_rows_total", task="people", outcome="applied"))
            and bool(scrape.value("batchd_backlog_rows", task="people"))
        )
    )


@pytest.fixture(scope="module")
def prometheus(daemon: Watched, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """The real one, scraping the real one."""
    folder, port = tmp_path_factory.mktemp("prometheus"), free_port()
    target = f"127.0.0.1:{daemon.port}"
    (folder / "prometheus.yml").write_text(
        f"global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: [{ALERTS}]\n"
        f"scrape_configs:\n  - job_name: batchd\n    static_configs: [{{targets: ['{target}']}}]\n",
        encoding="utf-8",
    )
    arguments = [
        program("prometheus"), f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn",
    ]  # fmt: skip
    with (folder / "log").open("wb") as log, subprocess.Popen(arguments, stdout=log, stderr=log) as process:
        try:
            found = Prometheus(f"http://127.0.0.1:{port}", target)
            until(lambda: is_ready(found))
            yield found
        finally:
            process.terminate()


def program(name: str) -> str:
    """Where it is. Says NOT RUN where it isn't; fails on CI."""
    path = shutil.which(name)
    if path is None:
        not_run("queries by Prometheus itself; Debian, Ubuntu: apt-get install prometheus")
    return path or ""


def is_ready(prometheus: Prometheus) -> bool:
    try:
        return bool(prometheus.samples('up{job="batchd"} == 1'))
    except OSError:
        return False


def until(holds: Any) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.3)


@pytest.mark.parametrize("name", queries())
def test_each_query_asks_for_what_is_scraped(name: str, scrape: Scrape) -> None:
    """Each metric and each label of it is in a real scrape, also where no Prometheus is installed."""
    query = queries()[name]
    labels = {label for of, pairs in scrape.samples for label, _ in pairs if of in metrics_of(query)}

    assert metrics_of(query)
    assert set() == metrics_of(query) - {of for of, _ in scrape.samples}
    assert set() == labels_of(query) - labels - GIVEN_BY_PROMETHEUS


@pytest.mark.parametrize("name", panels())
def test_each_panel_shows_something(name: str, prometheus: Prometheus) -> None:
    """Of a daemon at work the engine itself makes at least one line of each query."""
    query = filled_in(panels()[name], prometheus.instance)

    assert not re.search(r"\$\w", query)
    until(lambda: prometheus.samples(query))


@pytest.mark.parametrize("definition", variables())
def test_the_dashboard_finds_its_variables(definition: str, prometheus: Prometheus) -> None:
    """A person chooses among the instances and tasks that there are."""
    asked = re.fullmatch(r"label_values\((.+), (\w+)\)", definition)
    assert asked is not None

    found = prometheus.samples(filled_in(asked[1], prometheus.instance))
    assert {one["metric"][asked[2]] for one in found} == {"people" if asked[2] == "task" else prometheus.instance}


@pytest.mark.parametrize("name", rules())
def test_each_alert_rule_is_evaluated(name: str, prometheus: Prometheus) -> None:
    """By the engine, over the real scrape, without an error."""
    by_name = {rule["name"]: rule for group in prometheus.ask("rules")["groups"] for rule in group["rules"]}
    until(lambda: {rule["name"]: rule for rule in all_rules(prometheus)}[name]["health"] == "ok")

    assert name in by_name
    assert not by_name[name].get("lastError")


def all_rules(prometheus: Prometheus) -> list[dict[str, Any]]:
    return [rule for group in prometheus.ask("rules")["groups"] for rule in group["rules"]]


def test_an_open_finding_is_on_its_way_to_an_alert(prometheus: Prometheus) -> None:
    """The rules see what the daemon tells."""

    def about_overdue() -> list[dict[str, Any]]:
        return [one for one in prometheus.ask("alerts")["alerts"] if one["labels"].get("kind") == "overdue"]

    until(about_overdue)

    told = {(one["labels"]["alertname"], one["labels"]["severity"]) for one in about_overdue()}
    assert {("BatchdFinding", "ticket")} == told


def test_alerts_fire_when_they_should_and_only_then() -> None:
    """The stories of tests/prometheus/alerts.yml, told to the real rules by promtool."""
    done = subprocess.run(
        [program("promtool"), "test", "rules", str(REPOSITORY / "tests" / "prometheus" / "alerts.yml")],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", rules())
def test_each_alert_says_what_and_where_to_read_on(name: str) -> None:
    """A summary, a description, and a page that is there."""
    _, rest = rules()[name]
    (link,) = re.findall(r"runbook_url: '?([^'\n]+)'?\n", rest)
    page, _, anchor = link.partition("#")

    assert re.search(r"summary: \S", rest)
    assert re.search(r"description: \S", rest)
    if link == page_of("{{ $labels.kind }}"):
        return
    if page == page_of("results-unread"):
        return
    text = Path(REPOSITORY / page).read_text(encoding="utf-8")
    assert anchor in {heading.lower() for heading in re.findall(r"^### (\w+)$", text, re.MULTILINE)}


def test_what_is_at_stake_is_paged_for() -> None:
    """Every kind of finding of the first priority, once; every other kind is a ticket sooner or later."""
    named = re.search(r'kind=~"([^"]+)"', rules()["BatchdUrgentFinding"][0])
    assert named is not None

    assert {name for name, kind in KINDS.items() if kind.priority == AT_STAKE} == {
        *named[1].split("|"),
        *re.findall(r'kind="([^"]+)"', rules()["BatchdResultsExpiring"][0]),
    }
    assert rules()["BatchdFinding"][0].split() == ["batchd_findings", ">", "0"]


def test_the_how_to_has_each_alert() -> None:
    """And no other."""
    headings = re.findall(r"^### (Batchd\w+)$", HOW_TO.read_text(encoding="utf-8"), re.MULTILINE)

    assert sorted(rules()) == sorted(headings)
