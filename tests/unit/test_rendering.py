"""Prompts over one row: what a template may see, and what becomes of rows that it can't show."""

import datetime as dt
import uuid
from decimal import Decimal
from typing import Any

import pytest

from batchd.core.rendering import (
    PromptRenderer,
    RenderedPrompt,
    UnrenderableError,
    check_columns,
    compile_prompt,
    template_columns,
)
from batchd.errors import ConfigError
from tests.unit.examples import a_task


def user_text(prompt: str, **row: Any) -> str:
    return PromptRenderer(prompt, None).render(row).user


def test_a_prompt_is_rendered_from_the_rows_columns() -> None:
    """Prompt and system are both templates, kept to the last line break, with nothing escaped."""
    renderer = PromptRenderer("<cv>{{ cv }}</cv>\n", "Answer in {{ language }}.")

    prompt = renderer.render({"cv": 'Anna & "Bob" <3', "language": "Danish", "unused": object()})

    assert prompt == RenderedPrompt("Answer in Danish.", '<cv>Anna & "Bob" <3</cv>\n')


def test_a_column_of_any_name_is_read_through_row() -> None:
    """A space, or a word that Jinja2 keeps for itself, keeps no column out of a prompt."""
    prompt = "{{ row['full text'] }} {{ row['none'] }} {{ cv }}"

    assert template_columns(prompt, None) == ("cv", "full text", "none")
    assert user_text(prompt, **{"full text": "Anna", "none": 1, "cv": "x"}) == "Anna 1 x"


def test_a_column_that_is_called_row_is_a_column() -> None:
    """It is not taken for the row."""
    assert template_columns("{{ row }}", None) == ("row",)
    assert user_text("{{ row }}", row="x") == "x"


def test_row_text_is_data_and_never_a_template() -> None:
    """What a row says in Jinja's own signs is shown as it is."""
    text = user_text("{{ cv }}", cv="{{ 7 * 7 }} {% raw %}")

    assert text == "{{ 7 * 7 }} {% raw %}"


@pytest.mark.parametrize("system", [None, ""])
def test_without_system_text_there_is_none(system: str | None) -> None:
    """An empty setting is no setting: no empty message is sent."""
    prompt = PromptRenderer("x", system).render({})

    assert prompt.system is None


@pytest.mark.parametrize(
    ("prompt", "columns"),
    [
        ("{{ b }} {{ a }} {{ b }}", ("b", "a")),
        ("{% if b %}{{ a|upper }}{% endif %}", ("b", "a")),
        ("{% set x = a %}{{ x }}", ("a",)),
        ("{% for part in a.split() %}{{ part }}{{ loop.index }}{% endfor %}", ("a",)),
        ("{{ range }}", ("range",)),
        ("no column", ()),
    ],
)
def test_columns_are_those_that_the_templates_read(prompt: str, columns: tuple[str, ...]) -> None:
    """In the order of first use, without the template's own variables."""
    assert template_columns(prompt, None) == columns


def test_the_system_text_reads_columns_too() -> None:
    """Each column once, the prompt's first."""
    assert template_columns("{{ a }}{{ b }}", "{{ c }}{{ a }}") == ("a", "b", "c")


def test_an_unknown_column_is_told_with_the_nearest_one() -> None:
    """A typing error is found by check-config."""
    with pytest.raises(ConfigError, match=r"no column resum; did you mean Resume\?"):
        check_columns(["id", "resum"], ["id", "Resume", "Level"])


def test_an_unknown_column_like_no_other_lists_the_columns() -> None:
    """Where nothing is near, the next step still shows what there is."""
    with pytest.raises(ConfigError, match=r"no column zzz$") as caught:
        check_columns(["zzz"], ["id", "Resume"])

    assert caught.value.next_command == "the columns are: id, Resume"


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        ("one\n{{ broken", "the prompt is not a template, line 2"),
        ("{{ a|nosuchfilter }}", "No filter named 'nosuchfilter'"),
        ("{{ a|random }}", "No filter named 'random'"),
        ("{% include 'secrets' %}", "it can.t include another template"),
        ("{% extends a %}", "it can.t include another template"),
    ],
)
def test_a_wrong_template_is_a_config_error(prompt: str, message: str) -> None:
    """With its line, before any row is read."""
    with pytest.raises(ConfigError, match=message):
        PromptRenderer(prompt, None)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, ""),
        (7, "7"),
        (0.5, "0.5"),
        (Decimal("0E-10"), "0.0000000000"),
        (Decimal("1E+3"), "1000"),
        (dt.date(2026, 11, 20), "2026-11-20"),
        (dt.datetime(2026, 11, 20, 9, 30, tzinfo=dt.UTC), "2026-11-20 09:30:00+00:00"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        ({"größe": [1, None]}, '{"größe":[1,null]}'),
        ("   ", "   "),
    ],
)
def test_values_are_shown_plainly(value: object, shown: str) -> None:
    """Numbers without exponents, dates in ISO order, structures as JSON, NULL as nothing."""
    assert user_text("{{ v }}", v=value) == shown


def test_an_unwanted_null_names_its_column() -> None:
    """With null_input = "error" a NULL sets the row aside."""
    renderer = PromptRenderer("{{ a }}{{ cv }}", None, null_input="error")

    with pytest.raises(UnrenderableError, match="column cv is NULL") as caught:
        renderer.render({"a": "", "cv": None})

    assert caught.value.code == "null_input"


@pytest.mark.parametrize(
    ("prompt", "value", "code"),
    [
        ("{{ v }}", b"secret", "binary_input"),
        ("{{ v }}", memoryview(b"secret"), "binary_input"),
        ("{{ v }}", "secret \ud83d", "not_unicode"),
        ("{{ v + 1 }}", "secret", "template_error"),
        ("{{ v.missing }}", "secret", "template_error"),
        ("{{ v.__class__.__mro__ }}", "secret", "template_error"),
        ("{{ v.append(1) }}", ["secret"], "template_error"),
        ("{{ [v][9] }}", "secret", "template_error"),
        ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}{{ v }}", "secret", "template_error"),
    ],
)
def test_a_row_that_cannot_be_shown_is_set_aside(prompt: str, value: object, code: str) -> None:
    """With a code and a sentence of our own; the row's content is in neither."""
    with pytest.raises(UnrenderableError) as caught:
        user_text(prompt, v=value)

    assert caught.value.code == code
    assert "secret" not in caught.value.sentence
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_a_task_renders_with_its_own_settings() -> None:
    """Prompt, system and null_input are those of the definition."""
    renderer = compile_prompt(a_task(system="S", null_input="error"))

    assert renderer.render({"cv": "x"}) == RenderedPrompt("S", "x")
    with pytest.raises(UnrenderableError):
        renderer.render({"cv": None})


def test_a_task_cannot_read_what_is_not_among_its_inputs() -> None:
    """A column that the guard does not cover must not reach the prompt."""
    with pytest.raises(ConfigError, match="no column salary"):
        compile_prompt(a_task(prompt="{{ cv }}{{ salary }}"))


def test_a_system_text_that_fails_without_a_row_fails_its_rows() -> None:
    """It is a row's reason, as any other template's failure is, and no trouble of the program's."""
    renderer = PromptRenderer("{{ cv }}", "{{ 1 / 0 }}")

    with pytest.raises(UnrenderableError, match="system template failed"):
        renderer.render({"cv": "x"})
