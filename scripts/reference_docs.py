"""Writes the tables of docs/reference that the code can tell by itself; ``--check`` only compares.

A page keeps its tables between two marks, ``<!-- begin NAME -->`` and ``<!-- end NAME -->``.
"""

# ruff: noqa: INP001 - a script, not part of a package

import ast
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from batchd.config.entra import EntraConfig
from batchd.config.metrics import MetricsConfig
from batchd.config.secret_refs import SecretRef
from batchd.config.sections import DaemonConfig, DatabaseConfig, LogConfig, NotifyConfig, PriceConfig
from batchd.config.tasks import TaskConfig
from batchd.config.vendors import AzureVendorConfig, OpenAIVendorConfig, SandboxVendorConfig
from batchd.config.webhooks import WebhooksConfig
from batchd.config.write import WriteConfig
from batchd.core.fields import FieldSpec
from batchd.core.findings import KINDS, REPORTS
from batchd.core.outcomes import RULES, GateState, Outcome
from batchd.core.schema import ColumnTarget, VectorTarget
from batchd.core.states import ENDS, MOVES
from batchd.metrics.catalog import METRICS
from scripts import performance_docs

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = ROOT / "docs" / "reference"


FOLDERS = (
    "stages",
    "daemon",
    "operations",
    "inspection",
    "core",
    "ports",
    "store",
    "store/dialects",
    "vendors",
    "spool",
    "config",
    "metrics",
    "webhooks",
    "app",
    "app/doctor",
    "cli",
    "cli/commands",
    "sandbox",
)


def main(arguments: Sequence[str]) -> int:
    """Brings every page up to date; with ``--check`` returns 1 where one is not, and names it."""
    stale = [page for page in sorted({name.partition("#")[0] for name in TABLES}) if _is_stale(page)]
    for page in stale:
        if "--check" not in arguments:
            (REFERENCE / page).write_text(renewed(page), encoding="utf-8")
        sys.stdout.write(f"{'out of date' if '--check' in arguments else 'written'}: docs/reference/{page}\n")
    return 1 if stale and "--check" in arguments else 0


def renewed(page: str) -> str:
    """A page with its tables as the code tells them now. Raises ValueError where a mark is missing."""
    text = (REFERENCE / page).read_text(encoding="utf-8")
    for name, table in TABLES.items():
        of, _, mark = name.partition("#")
        if of == page:
            text = _replaced(text, mark, table(), page)
    return text


def _replaced(text: str, mark: str, table: str, page: str) -> str:
    before, begin, rest = text.partition(f"<!-- begin {mark} -->\n")
    _, end, after = rest.partition(f"<!-- end {mark} -->")
    if not (begin and end):
        msg = f"docs/reference/{page} has no marks for {mark}"
        raise ValueError(msg)
    return f"{before}{begin}{table}{end}{after}"


def _is_stale(page: str) -> bool:
    return (REFERENCE / page).read_text(encoding="utf-8") != renewed(page)


def _markdown(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def _keys(model: type[BaseModel]) -> Callable[[], str]:
    def table() -> str:
        rows = [
            (f"`{field.alias or name}`", _default(field), field.description or "")
            for name, field in model.model_fields.items()
        ]
        return _markdown(("key", "default", "meaning"), rows)

    return table


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    if field.default is None or field.default in ((), {}):
        return "none"
    if isinstance(field.default, bool):
        return f"`{str(field.default).lower()}`"
    return f'`"{field.default}"`' if isinstance(field.default, str) else f"`{field.default}`"


def _outcomes() -> str:
    rows = [
        (
            f"`{outcome}`",
            rule.meaning,
            *(("yes" if flag else "no") for flag in (rule.paid, rule.retried, rule.keeps_result)),
            _next_step(outcome, rule.next_step),
        )
        for outcome, rule in RULES.items()
    ]
    return _markdown(("outcome", "meaning", "a paid try", "due again", "kept", "what to do"), rows)


def _next_step(outcome: Outcome, step: str) -> str:
    commands = {act: f"`batchd {act} --task TASK --only {outcome}`" for act in ("retry", "reapply")}
    return step.format(**commands) or "nothing"


def _gates() -> str:
    return _markdown(("gate", "meaning"), [(f"`{state}`", _GATES[state]) for state in GateState])


_GATES = {
    GateState.OPEN: "the row is in a batch that has not ended",
    GateState.RETRY: "the row waits for its next try (`not_before`)",
    GateState.FAILED: "the row needs a person; it is not tried again by itself",
    GateState.HELD: "the row's batch was cancelled by a person; it waits for `batchd retry`",
    GateState.DONE: "the row was written, and its task's condition still calls it pending",
}


def _findings() -> str:
    rows = [
        (
            f"`{name}`",
            str(kind.priority),
            kind.meaning,
            f"`{kind.next_command.format(id='ID')}`",
            "yes" if name in REPORTS else "no",
            f"[what to do](../runbook/{name}.md)",
        )
        for name, kind in sorted(KINDS.items(), key=lambda one: one[1].priority)
    ]
    return _markdown(("kind", "priority", "meaning", "next command", "only reports", "page"), rows)


def _metrics() -> str:
    rows = [
        (f"`{one.name}`", one.kind, ", ".join(f"`{label}`" for label in one.labels), one.meaning, one.source)
        for one in METRICS
    ]
    return _markdown(("metric", "type", "labels", "meaning", "from"), rows)


def _diagram() -> str:
    lines = ["```mermaid", "stateDiagram-v2", "    [*] --> built"]
    lines += [f"    {source} --> {target}" for source, target in MOVES]
    lines += [f"    {state} --> [*]" for state in sorted(ENDS)]
    return "\n".join([*lines, "```", ""])


def _moves() -> str:
    return _markdown(("from", "to", "when"), [(f"`{one}`", f"`{two}`", why) for (one, two), why in MOVES.items()])


def _modules(folder: str) -> Callable[[], str]:
    """The modules of one folder of the package, each with the first line of its docstring."""

    def table() -> str:
        paths = sorted((ROOT / "batchd" / folder).glob("*.py"))
        named = [path for path in paths if path.stem not in ("__init__", "__main__")]
        rows = [(f"[`{path.stem}`](../../{path.relative_to(ROOT)})", _first_line(path)) for path in named]
        return _markdown(("module", "what it is for"), rows)

    return table


def _first_line(path: Path) -> str:
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return docstring.partition("\n")[0].replace("``", "`")


TABLES: dict[str, Callable[[], str]] = {
    "config.md#database": _keys(DatabaseConfig),
    "config.md#secret": _keys(SecretRef),
    "config.md#sandbox": _keys(SandboxVendorConfig),
    "config.md#openai": _keys(OpenAIVendorConfig),
    "config.md#azure": _keys(AzureVendorConfig),
    "config.md#entra": _keys(EntraConfig),
    "config.md#daemon": _keys(DaemonConfig),
    "config.md#prices": _keys(PriceConfig),
    "config.md#notify": _keys(NotifyConfig),
    "config.md#log": _keys(LogConfig),
    "config.md#metrics": _keys(MetricsConfig),
    "config.md#webhooks": _keys(WebhooksConfig),
    "config.md#task": _keys(TaskConfig),
    "config.md#field": _keys(FieldSpec),
    "config.md#column": _keys(ColumnTarget),
    "config.md#vector": _keys(VectorTarget),
    "config.md#write": _keys(WriteConfig),
    "outcomes.md#outcomes": _outcomes,
    "outcomes.md#gates": _gates,
    "findings.md#findings": _findings,
    "metrics.md#metrics": _metrics,
    "states.md#diagram": _diagram,
    "states.md#moves": _moves,
    **{f"code-map.md#{folder}": _modules(folder) for folder in FOLDERS},
    "code-map.md#top": _modules(""),
    **performance_docs.TABLES,
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
