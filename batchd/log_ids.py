"""What a piece of work is about, bound once around it: every event that is logged meanwhile bears these names."""

from contextlib import AbstractContextManager

from structlog.contextvars import bound_contextvars

from batchd.core.model import Batch
from batchd.ports import Scope


def about_pass(stage: str, scope: Scope) -> AbstractContextManager[None]:
    """A pass of a stage over one task, one vendor account, or all."""
    return _about(stage=stage, task=scope.task, vendor=scope.account, batch=scope.batch_id)


def about_task(task: str) -> AbstractContextManager[None]:
    """One task of a pass over all."""
    return _about(task=task)


def about_batch(batch: Batch) -> AbstractContextManager[None]:
    """One batch, with the id that the vendor knows it by, if it does."""
    return _about(task=batch.task, batch=batch.id, vendor_batch=batch.vendor_batch_id)


def _about(**names: str | int | None) -> AbstractContextManager[None]:
    return bound_contextvars(**{name: value for name, value in names.items() if value is not None})
