"""What a person can do about a row that waits for one: by what became of it, and with the very next command."""

from batchd.core.outcomes import RULES, GateState, Outcome


def next_step(task: str, state: GateState, outcome: Outcome | None, key: str = "") -> str:
    """The next step for a row of a task, with commands that touch rows of this outcome alone.

    Args:
        task: the task's name.
        state: the state of the row's gate.
        outcome: of its last request; None where it had none.
        key: the row, for what is done to one row at a time only.
    """
    if state is GateState.DONE:
        # Freed all together, such rows would be paid for again and again.
        return (
            "it was written, but the task's pending predicate still matches it: mend on_success or the predicate; "
            f"to ask it again, which is paid for again: batchd retry --task {task} --key {key}"
        )
    if outcome is None:
        return f"batchd retry --task {task}"
    return advice(outcome, task)


def advice(outcome: Outcome, task: str) -> str:
    """What to do about rows with this outcome; ``retry`` may cost, ``reapply`` never does."""
    only = f"--task {task} --only {outcome}"
    return RULES[outcome].next_step.format(retry=f"batchd retry {only}", reapply=f"batchd reapply {only}")
