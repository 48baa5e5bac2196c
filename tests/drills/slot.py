"""A place where one case after the other is run: a folder, a database that is put back before each, a vendor."""

import json
import shutil
import uuid
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Self

from batchd.failpoints import ARMED, LOGGED
from tests.drills.databases import SQLITE, Change, Database, database_of
from tests.drills.forking import Ended, Process
from tests.drills.vendor import Vendor
from tests.planted import KEY, RESUME

CONFIG = """\
[database]
url = {url}
{password}
[vendors.local]
kind = "sandbox"
batch_duration = "{batch_duration}"
resubmit = "{resubmit}"
timeout = "{timeout}"
create_timeout = "{create_timeout}"
submit_grace = "{submit_grace}"
{vendor}
[daemon]
check_interval = "50ms"
apply_rows = {apply_rows}
lease = "{lease}"
{daemon}
[tasks.people]
vendor = "local"
table = "person"
key = ["id"]
pending = "done_at IS NULL"
model = "gpt-6-luna"
prompt = "{{{{ resume }}}}"
null = "error"
batch_size = {batch_size}
max_open_batches = {max_open_batches}
max_attempts = 3
retry_delay = "0s"
on_success = {{ done_at = {{ now = "utc" }} }}
[tasks.people.fields]
name = {{ type = "string", column = "name" }}
"""
SETTINGS: dict[str, Any] = {
    "batch_duration": "0s",
    "resubmit": "fence",
    "timeout": "600s",
    "create_timeout": "900ms",
    "submit_grace": "1s",
    "vendor": "",
    "apply_rows": 4,
    "lease": "5m",
    "daemon": "",
    "batch_size": 10,
    "max_open_batches": 2,
}

# Cases of one vendor; then its list is emptied, since every case reads all of it.
_CASES_A_VENDOR = 25
_WARM_UP_ID = -1
_PASSWORD = "DRILL_DATABASE_PASSWORD"
# Rows in one INSERT: no server takes more than 2,100 values.
_ROWS_AT_ONCE = 500


class Slot:
    """One folder with one vendor. ``log`` holds what all commands of the case at hand have said."""

    def __init__(self, folder: Path, database: str = SQLITE, **settings: Any) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.database: Database = database_of(database, folder)
        self.log = folder / "batchd.log"
        self.points = folder / "points.log"
        self._spool = folder / "spool"
        self._template_spool = folder / "template.spool"
        self._cases = 0
        self.vendor = Vendor(folder)
        try:
            self.configure(**settings)
            self._prepare()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the vendor, and takes the database away."""
        self.vendor.close()
        self.database.close()

    def configure(self, **settings: Any) -> None:
        """Writes the config; what is not named has the drill's usual value (see ``SETTINGS``)."""
        password = f'password = {{ env = "{_PASSWORD}" }}' if self.database.password else ""
        # A string of JSON is one of TOML.
        given = {"url": json.dumps(self.database.url), "password": password, **SETTINGS, **settings}
        text = CONFIG.format(**given)
        (self.folder / "config.toml").write_text(text, encoding="utf-8")

    def begin(
        self, rows: int, *, faults: Mapping[str, Any] | None = None, change: Change | None = None, **settings: Any
    ) -> None:
        """Starts a case: a table with so many pending rows, ids from 1, a vendor with these faults.

        ``change`` is what people have changed at the fresh database, for rows and triggers of the case's own.
        """
        if self._cases and self._cases % _CASES_A_VENDOR == 0:
            self.configure()
            self._prepare()
        self._cases += 1
        self._put_back()
        self.configure(**settings)
        self.execute("UPDATE batchd_installation SET installation_id = ?", uuid.uuid4().hex)
        self._add(people(rows))
        if change:
            self.change(change)
        self.vendor.begin(faults or {})

    def start(self, *arguments: str, failpoint: str = "", traced: bool = False) -> Process:
        """Starts ``batchd``, with a fault point armed, or noting the points it passes in ``points``."""
        environment = {
            ARMED: failpoint,
            LOGGED: str(self.points) if traced else "",
            _PASSWORD: self.database.password,
            "OPENAI_API_KEY": KEY,
        }
        self.database.let_go()
        if traced:
            self.points.unlink(missing_ok=True)
        return Process(arguments, folder=self.folder, environment=environment, log=self.log)

    def run(self, *arguments: str, failpoint: str = "", traced: bool = False) -> Ended:
        """Runs ``batchd`` to its end."""
        return self.start(*arguments, failpoint=failpoint, traced=traced).wait()

    def passed(self) -> list[str]:
        """The fault points that the last traced command has passed, in order."""
        return self.points.read_text(encoding="ascii").split() if self.points.exists() else []

    def execute(self, sql: str, *values: object) -> list[Any]:
        """What a person at the database sees and does."""
        return self.database.execute(sql, *values)

    def change(self, change: Change) -> None:
        """What people change at the database."""
        for statement in self.database.changes[change]:
            self.execute(statement)

    def document(self, *arguments: str) -> dict[str, Any]:
        """What a command with ``--json`` says."""
        log, self.log = self.log, self.folder / "document.json"
        self.log.unlink(missing_ok=True)
        try:
            self.run(*arguments, "--json")
            lines = [line for line in self.log.read_text(encoding="utf-8").splitlines() if line.startswith("{")]
        finally:
            self.log = log
        found: dict[str, Any] = json.loads(lines[-1])
        return found

    def said(self, characters: int = 3000) -> str:
        """The end of what the case's commands have said."""
        return self.log.read_text(encoding="utf-8", errors="replace")[-characters:] if self.log.exists() else ""

    def _prepare(self) -> None:
        """A ledger with one finished batch that the vendor knows too: without it an absence would prove nothing."""
        self.vendor.control("POST", "reset")
        self.vendor.begin({})
        self._remove_files()
        self.database.create()
        self._add([(_WARM_UP_ID, "warming up")])
        self._expect("db", "upgrade")
        self._expect("run", "--until-idle")
        self.execute("DELETE FROM audit")
        self.execute("DELETE FROM person")
        self.database.keep()
        shutil.rmtree(self._template_spool, ignore_errors=True)
        shutil.copytree(self._spool, self._template_spool)

    def _add(self, rows: Sequence[tuple[int, str]]) -> None:
        for some in (rows[at : at + _ROWS_AT_ONCE] for at in range(0, len(rows), _ROWS_AT_ONCE)):
            marks = ", ".join(["(?, ?)"] * len(some))
            self.execute(f"INSERT INTO person (id, resume) VALUES {marks}", *chain.from_iterable(some))

    def _expect(self, *arguments: str) -> None:
        ended = self.run(*arguments)
        if ended != Ended(0, None):
            raise RuntimeError(f"batchd {' '.join(arguments)} ended with {ended}: {self.said()}")

    def _put_back(self) -> None:
        self._remove_files()
        shutil.copytree(self._template_spool, self._spool)
        self.database.put_back()

    def _remove_files(self) -> None:
        shutil.rmtree(self._spool, ignore_errors=True)
        self.log.unlink(missing_ok=True)


def people(rows: int) -> Sequence[tuple[int, str]]:
    """Rows whose texts differ, so that the vendor's account tells their payments apart; each has what is planted."""
    return [(number, f"Ada Number{number} wrote programs. {RESUME}") for number in range(1, rows + 1)]
