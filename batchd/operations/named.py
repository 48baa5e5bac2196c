"""What a person names: a task, a batch, its vendor account, the key of a row."""

from batchd.core.keys import KeyCodec, RowKey, UnusableKeyError
from batchd.core.model import Batch, TaskRecord
from batchd.core.states import OPEN, BatchState
from batchd.core.tasks import TaskDefinition
from batchd.errors import UsageError
from batchd.ports import Account, Ledger, Scope, Store, Workplace


def known_task(ledger: Ledger, name: str) -> TaskRecord:
    """The task of this name. Raises UsageError."""
    record = ledger.tasks.find(name)
    if record is None:
        raise UsageError(f"the ledger does not know a task {name!r} yet", next_command="batchd status")
    return record


def open_batches(ledger: Ledger, task: str) -> tuple[Batch, ...]:
    """The batches of a task that have not come to an end, oldest first."""
    positions = OPEN - {BatchState.HELD}
    found = [one for at in positions for one in ledger.batches.at(at, Scope(task=task), due=False)]
    return tuple(sorted(found, key=lambda one: one.id))


def known_batch(store: Store, reference: str) -> Batch:
    """The batch with this vendor id, uid or number. Raises UsageError."""
    batch = store.read(lambda ledger: ledger.batches.find(reference))
    if batch is None:
        raise unknown_batch(reference)
    return batch


def unknown_batch(reference: str) -> UsageError:
    """No batch of the ledger is called so."""
    return UsageError(f"there is no batch {reference!r} in this ledger", next_command="batchd batches")


def account_for(place: Workplace, batch: Batch) -> Account:
    """The account that a batch was sent to. Raises UsageError where the config has no such one."""
    account = place.account_of(batch)
    if account is None:
        raise UsageError(
            f"the config has no vendor {batch.account!r} that is the one batch {batch.id} was sent to",
            next_command="batchd check-config",
        )
    return account


def row_key(definition: TaskDefinition, text: str) -> RowKey:
    """A key as people write it: its parts with commas where it has several. Raises UsageError."""
    parts = [part.strip() for part in text.split(",")] if len(definition.key) > 1 else [text]
    try:
        values = [int(part) if one.kind == "integer" else part for one, part in zip(definition.key, parts, strict=True)]
        return KeyCodec(definition.key).encode(values)
    except (ValueError, UnusableKeyError) as error:
        names = ", ".join(definition.key_columns)
        raise UsageError(
            f"{text!r} is not a key of task {definition.name}; it is made of: {names}",
            next_command=f"batchd failures --task {definition.name}",
        ) from error
