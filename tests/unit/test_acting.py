"""Who acts, what a person types, and how a command is named for them to type: pure rules of what people do."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from batchd.app.person import this_person
from batchd.cli.asking import wish
from batchd.cli.lines import as_called, carry_config
from batchd.cli.named_outcomes import outcomes_named
from batchd.core.advice import next_step
from batchd.core.outcomes import REAPPLICABLE, GateState, Outcome
from batchd.errors import UsageError
from batchd.operations.costing import cost_at_most
from tests.stages.bench import NoPrices, person_task

# The column of the ledger takes no more characters.
LONGEST_ACTOR = 200


def test_a_person_is_told_from_a_process() -> None:
    """A process is `host/namespace/pid/start`; a person is marked, whoever it is, and behind sudo both are named."""
    alone, behind = this_person({}), this_person({"SUDO_USER": "alice"})
    account, _, host = alone.removeprefix("user ").partition("@")

    assert alone == f"user {account}@{host}"
    assert behind == f"user alice as {account}@{host}"
    assert this_person({"SUDO_USER": account}) == alone
    assert "/" not in alone


def test_a_person_fits_the_trail() -> None:
    """Names come from outside: of any length, with any characters."""
    found = this_person({"SUDO_USER": "x\n\udcff" * 500})

    assert len(found) <= LONGEST_ACTOR
    assert found.isprintable()


def test_outcomes_are_named_with_commas() -> None:
    """Case and blanks don't matter; one that is named twice counts once."""
    assert outcomes_named(" Expired,missing ,expired") == (Outcome.EXPIRED, Outcome.MISSING)
    assert outcomes_named(None) == ()


@pytest.mark.parametrize(
    ("typed", "next_command"),
    [("canceled", "did you mean: cancelled"), ("expird,missing", "did you mean: expired"), ("x", "some of: applied,")],
)
def test_an_outcome_that_nobody_knows_is_told_with_the_nearest(typed: str, next_command: str) -> None:
    """Wrong usage, and the right names."""
    with pytest.raises(UsageError, match="there is no outcome") as refused:
        outcomes_named(typed)

    assert refused.value.next_command.startswith(next_command)


def test_no_outcome_is_not_every_outcome() -> None:
    """`--only ""`, as a script with an empty variable writes it, frees nothing."""
    with pytest.raises(UsageError, match="names no outcome"):
        outcomes_named(" , ")


def test_a_reason_is_one_line_of_text_that_any_database_takes() -> None:
    """Line breaks and bytes that are no text come from shells."""
    assert wish("month\n  end \udcff").reason == "month end ?"


@pytest.mark.parametrize("outcome", [one for one in Outcome if one not in {Outcome.APPLIED, Outcome.GONE}])
def test_each_outcome_has_commands_for_its_rows_alone(outcome: Outcome) -> None:
    """`failures` advises what frees these rows and no others, and `reapply` only where an answer may be written."""
    advised = next_step("people", GateState.FAILED, outcome)

    assert f"batchd retry --task people --only {outcome}" in advised
    free = f"batchd reapply --task people --only {outcome}" in advised
    assert free <= (outcome in REAPPLICABLE)
    assert free == (outcome in {Outcome.STALE, Outcome.INVALID, Outcome.POISON})
    assert "{" not in advised


def test_an_invalid_answer_is_written_or_asked_anew_by_what_was_mended() -> None:
    """After a changed prompt or schema the kept answer is to another question: only a retry helps."""
    advised = next_step("people", GateState.FAILED, Outcome.INVALID)

    by_column, by_prompt = advised.split("; or ")
    assert "column" in by_column
    assert "batchd reapply" in by_column
    assert "schema" in by_prompt
    assert "batchd retry" in by_prompt


def test_what_is_written_and_still_pending_is_freed_by_its_key_alone() -> None:
    """All of them together would be paid for again and again."""
    assert next_step("people", GateState.DONE, Outcome.APPLIED, "7").endswith("batchd retry --task people --key 7")


@pytest.fixture
def carried() -> Iterator[None]:
    """A config with a blank in its name, given by its reader."""
    carry_config(Path("my conf/b.toml"))
    yield
    carry_config(None)


@pytest.mark.usefixtures("carried")
def test_commands_carry_the_config_that_was_given() -> None:
    """Whoever had to say --config has to say it again; what reads no config is left as it is."""
    line = "next: batchd resolve 7 --give-up, or batchd db upgrade; not batchd init, batchd db, /opt/batchd run"

    named = as_called(line, {})

    given = "--config 'my conf/b.toml'"
    assert named == (
        f"next: batchd resolve {given} 7 --give-up, or batchd db upgrade {given}; "
        "not batchd init, batchd db, /opt/batchd run"
    )
    assert as_called(named, {}) == named
    assert as_called("batchd status", {"BATCHD_CALLED_AS": "./run_batch.sh"}) == f"./run_batch.sh status {given}"


@pytest.mark.parametrize(
    ("changes", "cost"),
    [
        # Two rows of 10 tokens in and 5 out, three tries each, a billionth of a dollar a token.
        ({"params": {"max_completion_tokens": 5}}, 90),
        ({"params": {"max_output_tokens": 5}, "endpoint": "/v1/responses"}, 90),
        ({"params": {"max_completion_tokens": 5}, "max_attempts": 1}, 30),
        ({"endpoint": "/v1/embeddings"}, 60),
        ({"endpoint": "/v1/moderations"}, 0),
        ({}, None),
    ],
)
def test_the_most_that_rows_may_cost(changes: dict[str, object], cost: int | None) -> None:
    """Every try and the longest answer; unknown without a limit on the answer, never a guess."""
    assert cost_at_most(NoPrices(), person_task(**changes), 2, 20.0) == cost


def test_the_cost_of_prompts_that_nobody_knows_is_not_guessed() -> None:
    """Rows that were in no batch yet have no size."""
    task = person_task(params={"max_completion_tokens": 5})

    assert cost_at_most(NoPrices(), task, 2, 0.0) is None
    assert cost_at_most(NoPrices(), task, 0, 0.0) == 0
