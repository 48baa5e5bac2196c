"""Prompts: Jinja2 templates in a sandbox, over the columns of one row and nothing else."""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

import orjson
from jinja2 import StrictUndefined, Template, TemplateSyntaxError, meta, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from batchd.core.tasks import TaskDefinition
from batchd.errors import ConfigError

# What a prompt calls the row: row["full text"].
_ROW = "row"


class UnrenderableError(Exception):
    """A row that no prompt can be made of. ``sentence`` names the column, never what is in it."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence


@dataclass(frozen=True, slots=True)
class RenderedPrompt:
    """What is sent for one row: the user's text, and the system's where the task has one."""

    system: str | None
    user: str


class PromptTemplate:
    """One template, compiled.

    Args:
        source: Jinja2 text; kept as written, its last line break included.
        setting: name of the setting it comes from, for errors.

    Raises:
        ConfigError: the text is no template, or reaches for another file.
    """

    def __init__(self, source: str, setting: str = "prompt") -> None:
        self._setting = setting
        try:
            self.columns, self._template = _compiled(source)
        except TemplateSyntaxError as error:
            raise ConfigError(f"the {setting} is not a template, line {error.lineno}: {error.message}") from error

    def render(self, values: Mapping[str, Any]) -> str:
        """The text for these values.

        Raises:
            UnrenderableError: the template failed on them, or the text is not Unicode.
        """
        try:
            text = self._template.render({_ROW: values, **values})
        except Exception as error:  # noqa: BLE001 - any filter may fail in its own way, and fails this row only
            # Its words may quote the row, so only its kind is told.
            raise UnrenderableError(
                "template_error", f"the {self._setting} template failed on this row ({type(error).__name__})"
            ) from None
        if not _is_unicode(text):
            sentence = f"the {self._setting} holds half a character (a lone surrogate) and can't be sent"
            raise UnrenderableError("not_unicode", sentence)
        return text


class PromptRenderer:
    """A task's prompt and system text, ready for its rows."""

    def __init__(self, prompt: str, system: str | None, null_input: Literal["empty", "error"] = "empty") -> None:
        self._user = PromptTemplate(prompt, "prompt")
        template = PromptTemplate(system, "system") if system else None
        self._null_input = null_input
        self.columns = _merged(self._user, template)
        # Mostly it is the same for every row.
        self._same = _without_row(template)
        self._system = None if self._same is not None else template

    def render(self, row: Mapping[str, Any]) -> RenderedPrompt:
        """The prompt for ``row``, a mapping of column name to value that holds at least :attr:`columns`.

        Text, numbers, dates and times appear as Python writes them (ISO order), decimals without exponent,
        lists and dicts as JSON, NULL as nothing.

        Raises:
            UnrenderableError: a NULL that is not wanted, binary data, a template that fails on these values.
        """
        values = {column: self._shown(column, row[column]) for column in self.columns}
        system = self._system.render(values) if self._system else self._same
        return RenderedPrompt(system, self._user.render(values))

    def _shown(self, column: str, value: object) -> object:
        if value is None and self._null_input == "error":
            raise UnrenderableError("null_input", f"column {column} is NULL")
        if isinstance(value, bytes | bytearray | memoryview):
            raise UnrenderableError("binary_input", f"column {column} holds binary data, which is no text")
        return "" if value is None else value


def _without_row(template: PromptTemplate | None) -> str | None:
    """The text of a template that reads nothing of a row; None of one that does, or that fails on every row."""
    if template is None or template.columns:
        return None
    try:
        return template.render({})
    except UnrenderableError:
        return None


def template_columns(prompt: str, system: str | None) -> tuple[str, ...]:
    """The columns that the templates read, in the order of their first use, the prompt's first.

    Raises:
        ConfigError: a text is no template.
    """
    return PromptRenderer(prompt, system).columns


def check_columns(used: Iterable[str], available: Iterable[str]) -> None:
    """Holds the columns that a prompt reads against those of the table.

    Raises:
        ConfigError: a column is unknown; it names the nearest one.
    """
    known = list(available)
    for column in used:
        if column not in known:
            near = _nearest(column, known)
            raise ConfigError(
                f"the prompt reads {{{{ {column} }}}}, but the table has no column {column}"
                + (f"; did you mean {near}?" if near else ""),
                next_command=f"the columns are: {', '.join(known)}",
            )


def compile_prompt(definition: TaskDefinition) -> PromptRenderer:
    """The renderer of a task; it sees the columns that its templates read, which must be among its inputs.

    Raises:
        ConfigError: a template is wrong, or reads a column that is not an input.
    """
    renderer = PromptRenderer(definition.prompt, definition.system, definition.null_input)
    check_columns(renderer.columns, definition.inputs)
    return renderer


def _printed(value: object) -> object:
    """What an expression puts into the text, where Python's own way of writing it would not do."""
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, list | dict):
        return orjson.dumps(value).decode()
    return value


def _sandbox() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined,
        autoescape=False,  # the text goes to a model, not to a browser
        keep_trailing_newline=True,
        finalize=_printed,
    )
    # A name in a template is a column, never a built-in; and the same row always gives the same text.
    environment.globals.clear()
    del environment.filters["random"]
    return environment


_ENVIRONMENT = _sandbox()


def _compiled(source: str) -> tuple[tuple[str, ...], Template]:
    tree = _ENVIRONMENT.parse(source)
    if any(True for _ in meta.find_referenced_templates(tree)):
        raise TemplateSyntaxError("a prompt is one text, it can't include another template", 1)
    return _columns_read(tree), _ENVIRONMENT.from_string(tree)


def _columns_read(tree: nodes.Template) -> tuple[str, ...]:
    undeclared = meta.find_undeclared_variables(tree)
    items = [item for item in tree.find_all(nodes.Getitem) if _names_a_column(item) and _ROW in undeclared]
    rows = {id(item.node) for item in items}
    named = [node.name for node in tree.find_all(nodes.Name) if id(node) not in rows and node.name in undeclared]
    return tuple(dict.fromkeys([*named, *(item.arg.value for item in items if isinstance(item.arg, nodes.Const))]))


def _names_a_column(item: nodes.Getitem) -> bool:
    """True for ``row["full text"]``, the way to a column whose name is no name in Jinja2."""
    is_row = isinstance(item.node, nodes.Name) and item.node.name == _ROW
    return is_row and isinstance(item.arg, nodes.Const) and isinstance(item.arg.value, str)


def _merged(first: PromptTemplate, second: PromptTemplate | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*first.columns, *(second.columns if second else ())]))


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _nearest(name: str, known: Iterable[str]) -> str | None:
    by_lower = {column.lower(): column for column in known}
    near = difflib.get_close_matches(name.lower(), by_lower, n=1)
    return by_lower[near[0]] if near else None
