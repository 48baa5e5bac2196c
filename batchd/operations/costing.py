"""What rows would cost at most if they were asked again: every try that each of them has, with the longest answer."""

import math

from batchd.core.quota import model_of, tokens_per_byte
from batchd.core.tasks import TaskDefinition
from batchd.core.verdicts import Usage
from batchd.ports import Ledger, Prices

_OUTPUT_LIMITS = ("max_completion_tokens", "max_output_tokens", "max_tokens")


def cost_at_most(prices: Prices, definition: TaskDefinition, rows: int, input_tokens: float) -> int | None:
    """Billionths of a dollar; None where the price, the prompts' size or the longest answer is not known.

    Args:
        prices: the vendor's batch rates.
        definition: the task; ``params`` say how long an answer may be, ``max_attempts`` how often a row is asked.
        rows: how many.
        input_tokens: of all their prompts together, as far as they can be told; 0 for not at all.
    """
    if not rows or definition.is_free:
        return 0
    output = _longest_answer(definition)
    if output is None or not input_tokens:
        return None
    one = prices.cost(definition.model, Usage(input=math.ceil(input_tokens / rows), output=output))
    return None if one is None else one * rows * definition.max_attempts


def prompt_rate(ledger: Ledger, task_id: int, definition: TaskDefinition) -> float:
    """Tokens that the vendor counts for a byte of the task's requests, as far as its last batches have shown."""
    return tokens_per_byte(ledger.quotas.samples(task_id, model_of(definition.model)))


def _longest_answer(definition: TaskDefinition) -> int | None:
    """In tokens; a vector is none."""
    if definition.endpoint == "/v1/embeddings":
        return 0
    limits = (definition.params.get(name) for name in _OUTPUT_LIMITS)
    return next((limit for limit in limits if isinstance(limit, int)), None)
