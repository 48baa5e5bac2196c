"""``batchd runbook``: the page about a kind of finding, where there is no browser and no checkout."""

from pathlib import Path

from batchd.cli import exit_codes
from batchd.cli.call import Call
from batchd.cli.lines import say
from batchd.cli.out import print_json, say_table
from batchd.core.findings import KINDS, page_of
from batchd.errors import UsageError


def runbook(call: Call, kind: str | None) -> int:
    """Prints a page, or without a kind the list of them. Raises UsageError for a kind that is none."""
    if kind is None:
        return _list(call)
    if kind not in KINDS:
        raise UsageError(f"there is no kind of finding called {kind!r}", next_command="batchd runbook")
    text = _text(kind)
    if call.as_json:
        print_json({"kind": kind, "page": page_of(kind), "text": text})
    else:
        # As it stands: its commands are to be copied.
        say(text.rstrip())
    return exit_codes.DONE


def folder() -> Path:
    """Where the pages are: inside the installed package, or in the checkout."""
    package = Path(__file__).resolve().parent.parent
    packaged = package / "_runbook"
    return packaged if packaged.is_dir() else package.parent / "docs" / "runbook"


def _list(call: Call) -> int:
    kinds = sorted(KINDS, key=lambda name: (KINDS[name].priority, name))
    if call.as_json:
        listed = [{"kind": name, "priority": KINDS[name].priority, "meaning": KINDS[name].meaning} for name in kinds]
        print_json({"kinds": listed})
        return exit_codes.DONE
    say_table(("priority", "kind", "what it means"), [(KINDS[name].priority, name, _title(name)) for name in kinds])
    say()
    say("Next: batchd runbook KIND")
    return exit_codes.DONE


def _title(kind: str) -> str:
    """What stands behind the kind in the first line of its page."""
    return _text(kind).partition("\n")[0].removeprefix(f"# {kind}: ")


def _text(kind: str) -> str:
    return (folder() / f"{kind}.md").read_text(encoding="utf-8")
