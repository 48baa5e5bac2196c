"""The screens of `batchd status`, `batches` and `show`, made from a ledger as it stood at one fixed moment."""

import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from batchd.app.owner import this_owner
from batchd.cli import looking, status_facts
from batchd.cli.call import Call
from batchd.cli.place import opened_ledger
from batchd.cli.status_screen import status_lines
from tests.acceptance.cli_world import REPOSITORY
from tests.acceptance.status_world import MOMENT, Told, stamp, usual

PAGE = REPOSITORY / "docs" / "how-to" / "read-status.md"
NAMES = ("a-legal-name-of-the-most-characters-that-a-name-may-have-64-2026", "履歴書の抽出タスク", "x" * 120)


@pytest.fixture(autouse=True)
def _fixed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The database's clock stands still."""
    for module in (status_facts, looking):
        monkeypatch.setattr(module, "clock", lambda _connection, _dialect: MOMENT)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-none")
    monkeypatch.setenv("COLUMNS", "80")


def screen(told: Told, width: int = 80, height: int | None = None) -> list[str]:
    """The lines of `status`."""
    return status_lines(document(told), width, height)


def document(told: Told) -> dict[str, Any]:
    """What `status --json` prints."""
    with opened_ledger(Call(told.world.config)) as desk:
        return status_facts.status_document(desk, None, count=False)


def crowded(folder: Path) -> Told:
    """Nine tasks with three open batches, failures and a finding each."""
    told = Told(folder, *(f"task-{number}" for number in range(9)))
    for number, name in enumerate(told.tasks):
        told.change_task(name, last_sweep_at=stamp(60), last_sweep_count=1000 * number)
        for built in (500, 600, 700):
            told.add_batch(name, "submitted", built * (number + 1), not_before=stamp(-60))
        told.add_gates(name, "failed", number + 1, "invalid", "schema")
        told.add("batchd_finding", kind="overdue", subject=f"batch {number}", opened_at=stamp(number),
                 next_command=f"batchd show {number}")  # fmt: skip
    return told


def oddly_named(folder: Path) -> Told:
    """Names that are long, or take two cells a letter."""
    told = Told(folder, *NAMES)
    for name in NAMES:
        told.change_task(name, last_sweep_at=stamp(60), last_sweep_count=1_234_567)
        told.add_batch(name, "submitted", 600, not_before=stamp(-60))
        told.add_batch(name, "closed", 3600, applied=200, cost_nano_usd=12_345_678_901)
        told.add_gates(name, "failed", 1, "invalid", "a_code_of_many_letters")
    return told


def fence(name: str) -> str:
    """A captured screen of the page."""
    found = re.search(rf"^```{name}\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return found[1] if found else ""


def test_the_page_shows_the_screen_of_status(tmp_path: Path) -> None:
    """What the how-to prints is what the code prints, at 80 columns."""
    shown = "\n".join(screen(usual(tmp_path))) + "\n"

    assert fence("status") == shown, "paste the screen into the page"


def test_the_page_shows_the_screen_of_a_batch(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same of `batchd show`."""
    looking.show(Call(usual(tmp_path).world.config), "48")
    shown = capsys.readouterr().out

    assert fence("show") == shown, "paste the screen into the page"


@pytest.mark.parametrize("width", [40, 80, 200])
@pytest.mark.parametrize("make", [usual, crowded, oddly_named])
def test_no_line_is_wider_than_the_terminal(make: Callable[[Path], Told], width: int, tmp_path: Path) -> None:
    """Long names and many figures are cut or left out; figures are kept whole from 80 columns on."""
    lines = screen(make(tmp_path), width, 30)
    allowed = max(width, 80)

    assert [line for line in lines if cell_len(line) > allowed] == []


@pytest.mark.parametrize("make", [usual, crowded, oddly_named])
def test_it_is_one_screen(make: Callable[[Path], Told], tmp_path: Path) -> None:
    """Thirty lines are enough; what is left out is counted, and where to see it is told."""
    told = make(tmp_path)
    lines = screen(told, 80, 30)
    everything = screen(told)

    assert len(lines) <= 30
    assert [line for line in everything if "more: batchd" in line] == []
    if make is crowded:
        assert "  … and 7 tasks more: batchd batches --open" in lines
        assert "  … and 7 findings more: batchd status | more" in lines


def test_the_reason_of_a_finding_is_cut_only_where_there_is_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its end says why: a pipe has all of it, and so has a screen with room for it; elsewhere it is two lines."""
    why = "cannot use the spool folder: " + "there is something other than a folder on its path, " * 4 + "at its end"
    found = {
        "kind": "spool-unusable",
        "subject": "spool",
        "priority": 1,
        "since": MOMENT,
        "next_command": "batchd status",
    }
    monkeypatch.setattr(status_facts, "finding_facts", lambda _: [found | {"meaning": "no file", "detail": why}])
    told = Told(tmp_path, "resumes")
    piped = screen(told)
    roomy, tight = screen(told, 80, len(piped)), screen(told, 80, len([line for line in piped if line]) - 1)

    assert "at its end)" in " ".join(line.strip() for line in piped)
    assert roomy == piped
    assert tight[-2].endswith("…")
    assert tight[-4].startswith("! spool-unusable")


def test_what_is_left_out_matters_least(tmp_path: Path) -> None:
    """The oldest batches, the largest backlogs and the most frequent reasons are shown."""
    lines = screen(crowded(tmp_path), 80, 30)
    first = [line.split()[0] for above, line in pairwise(lines) if above[:8].strip().isupper()]

    assert first[:3] == ["task-8", "task-8", "task-8"]


def test_batches_fit_the_terminal_and_are_whole_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On a terminal of 80 columns the names are cut; in a pipe nothing is, and the vendor's ids are there."""
    told = oddly_named(tmp_path)
    call = Call(told.world.config)
    looking.batches(call, only_open=False, limit=50)
    piped = capsys.readouterr().out.splitlines()
    monkeypatch.setattr(looking, "table_width", lambda: 80)
    looking.batches(call, only_open=True, limit=2)
    narrow = capsys.readouterr().out.splitlines()

    assert [line for line in narrow if cell_len(line) > 80] == []
    assert narrow[-1] == "The newest 2 batches; --limit shows more."
    assert len(piped) == 7
    assert "x" * 120 in piped[1]
    assert piped[1].endswith("batch_000000000000000000000006")
    assert "closed" in piped[1]
    assert "10 min" in piped[1]


def test_names_that_differ_at_their_ends_stay_apart(tmp_path: Path) -> None:
    """A long name keeps its beginning and its end."""
    told = Told(tmp_path, "extract-people-from-resumes-2025", "extract-people-from-resumes-2026")

    names = {line.split()[0] for line in screen(told) if line.startswith("extract")}

    assert names == {"extract-people-f…es-2025", "extract-people-f…es-2026"}


def test_letters_of_two_cells_are_counted_as_two(tmp_path: Path) -> None:
    """A name of nine wide letters is shown whole, and the figures beside it end where those above do."""
    told = Told(tmp_path, "履歴書の抽出タスク")
    told.add_batch("履歴書の抽出タスク", "submitted", 600)
    told.add_gates("履歴書の抽出タスク", "failed", 1, "invalid")
    shown = screen(told)
    lines = [line for line in shown if line.startswith("履歴書の抽出タスク ")]
    heading = next(line for line in shown if line.startswith("IN FLIGHT"))

    assert len(lines) == 4
    assert cell_len(heading.partition("rows")[0]) + 4 == cell_len(lines[0].partition("200")[0]) + 3


def test_a_new_ledger_says_what_to_do_first(tmp_path: Path) -> None:
    """Nothing was sent yet: the screen is short, and says how to begin."""
    told = Told(tmp_path, "resumes")
    told.world.sql("DELETE FROM batchd_task_version")
    told.world.sql("DELETE FROM batchd_task")

    lines = screen(told)

    assert lines[0].startswith("Nothing has been sent yet; next: batchd submit, or batchd run")
    assert "resumes     ?    never          -  not counted: batchd status --count" in lines


def test_a_killed_process_is_told(tmp_path: Path) -> None:
    """A lease of a process of this machine that is gone: no daemon is at work, and the next command."""
    told = Told(tmp_path, "resumes")
    gone = "/".join([*this_owner().split("/")[:2], "4194999", "1"])
    told.add_batch("resumes", "collected", 400, lease_owner=gone, lease_expires_at=stamp(-200))

    lines = screen(told)

    assert lines[0].startswith("Not healthy: no daemon is at work ")
    assert "process 4194999 on " in lines[1]
    assert lines[2] == "  next: batchd run"


@pytest.mark.parametrize(
    ("batch", "state"),
    [
        ({"lease_owner": "web9/a/12/3", "lease_expires_at": stamp(-100)}, "at work"),
        ({"lease_owner": "web9/a/12/3", "lease_expires_at": stamp(100)}, "none"),
        ({"not_before": stamp(-10)}, "not seen"),
        ({"not_before": stamp(130)}, "not seen"),
        ({"not_before": stamp(140)}, "none"),
    ],
)
def test_who_is_at_work_is_told_by_leases_and_overdue_looks(batch: dict[str, Any], state: str, tmp_path: Path) -> None:
    """A lease that lasts, one that ran out elsewhere, a look at the vendor that is overdue by two intervals."""
    told = Told(tmp_path, "resumes")
    told.add_batch("resumes", "submitted", 4000, polled_at=stamp(1000), **batch)

    found = document(told)

    assert found["at_work"]["state"] == state
    assert found["healthy"] == (state != "none")


def test_an_old_lease_says_nothing_once_others_went_on(tmp_path: Path) -> None:
    """A lease left behind yesterday does not mean that nobody works today."""
    told = Told(tmp_path, "resumes")
    told.add_batch("resumes", "held", 90_000, lease_owner="web9/a/12/3", lease_expires_at=stamp(80_000))
    told.add_batch("resumes", "submitted", 400, polled_at=stamp(20), not_before=stamp(-60))

    assert document(told)["at_work"]["state"] == "not seen"


def test_today_is_the_utc_day_and_open_batches_count(tmp_path: Path) -> None:
    """A batch counts on the day it ended, an open one's rows on the day they were written."""
    told = Told(tmp_path, "resumes")
    told.add_batch("resumes", "closed", 14.6 * 3600, cost_nano_usd=1_000_000_000, closed_at=stamp(14.6 * 3600))
    told.add_batch("resumes", "closed", 15 * 3600, cost_nano_usd=2_000_000_000, closed_at=stamp(14.4 * 3600))
    number = told.add_batch("resumes", "collected", 20 * 3600, applied_at=stamp(10))
    for seq, ago in ((1, 10), (2, 15 * 3600)):
        told.add("batchd_request", batch_id=number, seq=seq, key_int=seq, key_text="", key_hash="", guard="g",
                 outcome="applied", cost_nano_usd=500_000_000, finished_at=stamp(ago))  # fmt: skip

    (task,) = document(told)["tasks"]

    assert task["cost_usd_today"] == 2.5
    assert task["cost_usd"] == 4.0


def test_findings_stand_in_the_order_of_their_priority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The most urgent first, where findings have a priority; the oldest first otherwise."""
    found = [{"kind": "overdue", "subject": f"batch {one}", "priority": one, "since": MOMENT} for one in (3, 1, 2)]
    monkeypatch.setattr(status_facts, "finding_facts", lambda _: [one | REST for one in found])
    told = document(Told(tmp_path, "resumes"))

    assert [one["priority"] for one in told["findings"]] == [1, 2, 3]


REST = {"meaning": "", "detail": "", "next_command": ""}
