"""Short forms about answers that are kept: how a row comes to have one, and how it is written."""

import json
from typing import Any

from batchd.core.schema import ColumnInfo, answer_from_fields, with_columns
from batchd.core.tasks import AnswerSpec, TaskDefinition
from batchd.inspection.verify import verify
from batchd.operations import Reapplied, ReapplyOrder, reapply
from tests.fakes.answers import answered
from tests.stages.bench import COLUMNS, FIELDS, Bench, person_task

LONG_NAME = "A" * 30
TOO_LONG = answered(json.dumps({"name": LONG_NAME, "level": "junior"}))


def answer(column: str = "name", **columns: ColumnInfo) -> AnswerSpec:
    """The usual answer, with the name in a column of its own, or columns that are other than usual."""
    fields = {**FIELDS, "name": FIELDS["name"].model_copy(update={"column": column})}
    return with_columns(answer_from_fields(fields), {**COLUMNS, **columns})


WIDER = person_task(answer=answer(name=ColumnInfo("text", 40)), max_attempts=1)


def write_kept(bench: Bench, definition: TaskDefinition | None = None, **order: Any) -> Reapplied:
    """Reapplies with the task as it is configured, or as it was mended."""
    (task,) = bench.place.tasks.values()
    _, told = reapply(bench.place, "people", definition or task.definition, ReapplyOrder(**order))
    verdict = verify(bench.place)
    assert verdict.is_sound, verdict
    return told
