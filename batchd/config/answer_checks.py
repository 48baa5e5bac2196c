"""Checks of what a task asks for and where the answer goes, which differ by its endpoint."""

from collections.abc import Iterable, Iterator

from batchd.config.problems import Problem
from batchd.config.tasks import TaskConfig

_FORMS = ("fields", "schema_file", "columns", "text_column", "vector_column")
_ENCODINGS = ("float", "base64")


def answer_problems(task: TaskConfig) -> Iterator[Problem]:
    """What is wrong with a task's answer, whatever its table says."""
    match task.endpoint:
        case "/v1/embeddings":
            yield from _embedding(task)
        case "/v1/moderations":
            yield from _moderation(task)
        case _:
            yield from _generated(task)


def _embedding(task: TaskConfig) -> Iterator[Problem]:
    strange = _written(task, {*_FORMS} - {"vector_column"})
    for key in strange:
        yield Problem((key,), 'an embedding is one vector; write vector_column = "Column" in its place')
    if task.vector_column is None and not strange:
        yield Problem((), 'has no place for its embedding; write vector_column = "Column"')
    yield from _no_system(task, "an embedding")
    yield from _dimensions(task)
    encoding = task.params.get("encoding_format", "float")
    if encoding not in _ENCODINGS:
        yield Problem(("params", "encoding_format"), 'expects "float" or "base64"')


def _dimensions(task: TaskConfig) -> Iterator[Problem]:
    if "dimensions" not in task.params:
        return
    asked = task.params["dimensions"]
    expected = task.vector_column.dimensions if task.vector_column is not None else None
    if type(asked) is not int or asked < 1:
        yield Problem(("params", "dimensions"), "expects a whole number of at least 1")
    elif expected not in {None, asked}:
        yield Problem(("vector_column", "dimensions"), f"is {expected}, but params.dimensions asks for {asked}")


def _moderation(task: TaskConfig) -> Iterator[Problem]:
    strange = _written(task, {*_FORMS} - {"columns"})
    for key in strange:
        yield Problem((key,), 'a moderation is written by columns = { flagged = "Column" } alone')
    if not task.columns and not strange:
        yield Problem((), 'has no place for its moderation; write columns = { flagged = "Column" }')
    yield from _no_system(task, "a moderation")


def _no_system(task: TaskConfig, what: str) -> Iterator[Problem]:
    if task.system is not None:
        yield Problem(("system",), f"{what} takes no system text; what is to be read belongs into the prompt")


def _generated(task: TaskConfig) -> Iterator[Problem]:
    if task.vector_column is not None:
        yield Problem(("vector_column",), 'belongs to endpoint = "/v1/embeddings"; this endpoint answers with text')
    forms = _written(task, {"fields", "schema_file", "text_column"})
    if not forms and task.vector_column is None:
        yield Problem((), "asks for nothing; write [fields], or schema_file with columns, or text_column")
    if len(forms) > 1:
        yield Problem((forms[1],), f"{forms[0]} is there too; an answer has one form")
    if task.schema_file is not None and not task.columns:
        yield Problem(("schema_file",), 'needs columns = { "path.in.answer" = "Column" }')
    if task.columns is not None and task.schema_file is None:
        yield Problem(("columns",), "needs schema_file; with [fields], a field names its column itself")
    if task.fields is not None and not task.answer_columns:
        yield Problem(("fields",), "no field has a column, so the answers would be written nowhere")


def _written(task: TaskConfig, forms: Iterable[str]) -> list[str]:
    """Those of these ways to say an answer that the task uses, in their usual order."""
    return [key for key in _FORMS if key in forms and getattr(task, key) is not None]
