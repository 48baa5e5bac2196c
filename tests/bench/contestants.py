"""How each contestant is called, and what must be true when it has ended."""

import json
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.bench.baseline import MODEL, SCHEMA, SYSTEM
from tests.bench.places import Place, ledger_rows, right_rows
from tests.bench.process import RunFailedError, measured, plain_environment
from tests.bench.results import BASELINE, BATCHD, Run

BATCH_SIZE = 50_000
_KINDS = {"array": 'type = "array", items = "string", store = "json"'}
_CONFIG = """\
[database]
url = "{url}"
{password}

[vendors.instant]
kind = "openai"
base_url = "{vendor}"
api_key = {{ env = "BATCHD_BENCH_KEY" }}

[daemon]
# The shortest that there is; of a vendor that takes no time it would otherwise be all that is measured.
check_interval = "0.2s"
spool = "spool"

[tasks.candidates]
vendor = "instant"
table = "candidate"
key = ["id"]
pending = "done_at IS NULL"
model = "{model}"
params = {{ max_completion_tokens = 800 }}
system = "{system}"
prompt = "Candidate {{{{ id }}}}\\n\\n{{{{ resume }}}}"
batch_size = {batch_size}
on_success = {{ done_at = {{ now = "utc" }} }}

[tasks.candidates.fields]
{fields}
"""


@dataclass(frozen=True, slots=True)
class Race:
    """One run to be: where, at which vendor, in batches of how many rows, by way of which port to the database."""

    place: Place
    vendor: str
    batch_size: int = BATCH_SIZE
    port: int | None = None

    @property
    def folder(self) -> Path:
        """Spool, config and the scripts' files, on the same storage as the database."""
        return self.place.folder / "run"

    @property
    def config(self) -> Path:
        """The one of batchd."""
        return self.folder / "config.toml"


def prepare(race: Race, contestant: str) -> None:
    """Fresh rows, an empty folder, and for batchd its config; a ledger knows the way by which it was installed."""
    shutil.rmtree(race.folder, ignore_errors=True)
    race.folder.mkdir(mode=0o700)
    if contestant == BATCHD:
        race.config.write_text(config_text(race), encoding="utf-8")
    race.place.fresh(ledger=contestant != BASELINE, port=race.port)


def command_of(race: Race, contestant: str) -> list[str]:
    """The command that does a whole cycle, from pending rows to applied ones."""
    if contestant == BATCHD:
        return [sys.executable, "-m", "batchd", "run", "--until-idle", "--config", str(race.config)]
    job = {
        "database": race.place.kind,
        "connect": race.place.settings(race.port),
        "vendor": race.vendor,
        "folder": str(race.folder),
        "batch_size": race.batch_size,
    }
    return [sys.executable, "-m", f"tests.bench.{contestant}", json.dumps(job)]


def run_batchd(race: Race, *arguments: str) -> Run:
    """Any command of batchd on what is prepared. Raises RunFailedError."""
    command = [sys.executable, "-m", "batchd", *arguments, "--config", str(race.config)]
    return measured(command, environment_of(race))


def environment_of(race: Race) -> Mapping[str, str]:
    """What every contestant is started with."""
    return plain_environment(BATCHD_BENCH_KEY="bench", BATCHD_BENCH_PASSWORD=race.place.password)


def judge(race: Race, contestant: str, rows: int) -> None:
    """Raises RunFailedError unless every row has its own answer, and the ledger of whoever keeps one says so too."""
    if (right := right_rows(race.place)) != rows:
        raise RunFailedError(f"{contestant} on {race.place.name}: {right} of {rows} rows have their answers")
    if contestant == BASELINE:
        return
    expected = {"applied": rows, "gates": 0, "images": rows, "open": 0}
    if (found := ledger_rows(race.place)) != expected:
        raise RunFailedError(f"{contestant} on {race.place.name}: the ledger holds {found} in place of {expected}")
    if contestant == BATCHD:
        run_batchd(race, "verify")


def config_text(race: Race) -> str:
    """The config of batchd: the defaults, and what the task is."""
    return _CONFIG.format(
        url=race.place.url(race.port),
        password='password = { env = "BATCHD_BENCH_PASSWORD" }' if race.place.password else "",
        vendor=race.vendor,
        model=MODEL,
        system=SYSTEM,
        batch_size=race.batch_size,
        fields="\n".join(f"{name} = {{ {_field(name, spec)} }}" for name, spec in _properties().items()),
    )


def _properties() -> dict[str, dict[str, object]]:
    properties: dict[str, dict[str, object]] = SCHEMA["properties"]  # type: ignore[assignment]
    return properties


def _field(name: str, spec: Mapping[str, object]) -> str:
    kind = _KINDS.get(str(spec["type"]), f'type = "{spec["type"]}"')
    choice = f", enum = {json.dumps(spec['enum'])}" if "enum" in spec else ""
    return f'{kind}{choice}, column = "{name}", description = "{spec["description"]}"'
