"""The catalogue of findings."""

import string

import pytest

from batchd.core.findings import KINDS, next_command


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_finding_has_a_meaning_and_a_next_command(kind: str) -> None:
    """The command is complete: it starts with the program, and no placeholder is left."""
    found = next_command(kind, "batch 12")

    assert KINDS[kind].meaning
    assert found.startswith("batchd ")
    assert "{" not in found
    assert ("12" in found) == ("{id}" in KINDS[kind].next_command)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_command_uses_nothing_but_the_id(kind: str) -> None:
    """The last word of the subject is all there is to put in."""
    names = {name for _, name, _, _ in string.Formatter().parse(KINDS[kind].next_command) if name is not None}

    assert names <= {"id"}


def test_the_id_is_the_last_word_of_the_subject() -> None:
    """A batch's number, or a name as a shell takes it: the ids of a vendor may be anything."""
    assert next_command("unknown-submit", "batch 12") == "batchd resolve 12"
    assert next_command("billing-stop", "task {odd}") == "batchd resume '{odd}'"
    assert next_command("stranger", "vendor openai batch batch_1") == "batchd resolve batch_1"
