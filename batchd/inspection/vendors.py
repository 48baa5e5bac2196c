"""The vendors' lists against the ledger: what they run for this installation is known, followed, and there once."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from batchd.core.model import Batch, Listing, VendorBatch
from batchd.core.states import BatchState
from batchd.errors import VendorError, VendorNotFoundError, VendorRefusedError
from batchd.inspection import checks
from batchd.inspection.paging import pages
from batchd.inspection.record import Record
from batchd.ports import Account, Ledger, Workplace

T = TypeVar("T")
_DAY = 86_400.0
# How long vendors are known to keep what batches are about; who is absent after that proves nothing.
_KEPT_SECONDS = 30 * _DAY
# A vendor's clock and ours may differ by this much.
_SKEW = 3600
_AT_ONCE = 400
_TOLD = ("extra-batch", "late-batch")
_DEAD = frozenset({"failed", "cancelled", "cancelling"})
_FOLLOWED = frozenset(
    {BatchState.SUBMITTED, BatchState.ENDED, BatchState.COLLECTED, BatchState.CLOSED, BatchState.FAILED}
)


def look_at_vendors(place: Workplace, task: str | None, record: Record) -> None:
    """Every account that can be reached; of the others it says that they were not looked at."""
    sent = place.store.read(lambda ledger: ledger.audit(task).accounts())
    for name, fingerprint in sorted(sent):
        account = place.accounts.get(name)
        if account is None or account.fingerprint != fingerprint:
            record.note(
                f"vendor {name}", "not looked at: no account of the config is the one that batches were sent to"
            )
    for done, account in enumerate(place.accounts.values()):
        place.progress.step("checking the vendors", done, len(place.accounts))
        _Look(place, task, account, record).run()


class _Look:
    """Looks at one account."""

    def __init__(self, place: Workplace, task: str | None, account: Account, record: Record) -> None:
        self._place = place
        self._task = task
        self._account = account
        self._record = record
        self._subject = f"vendor {account.name}"
        self._installation = place.store.read(lambda ledger: ledger.installation_id())
        # The vendor's list is read, and absences judged, from there on.
        self._since = place.store.read(
            lambda ledger: (
                ledger.audit().oldest_sent(account.name, account.fingerprint, _KEPT_SECONDS) or ledger.installed_at()
            )
        )

    def run(self) -> None:
        try:
            listing = self._listing()
        except (VendorNotFoundError, VendorRefusedError):
            self._record.note(self._subject, "not looked at: it does not list its batches")
            return
        except VendorError as error:
            self._record.note(self._subject, f"not looked at: it could not be asked ({error.code or 'no reply'})")
            return
        if listing is None:
            self._record.note(self._subject, "not looked at: it lists nothing (listing = false)")
            return
        self._compare_ids(listing)
        self._compare_batches(listing)

    def _listing(self) -> Listing | None:
        if not self._account.lists:
            return None
        return self._account.vendor.list_batches(int(self._since.timestamp()) - _SKEW)

    def _compare_ids(self, listing: Listing) -> None:
        """The ids that the ledger has are there, and are those of its own batches."""
        listed = {one.id: one for one in listing.batches}
        known = 0
        for some in _some(list(listed)):
            for batch in self._with_vendor_ids(some):
                known += 1
                uid = listed[batch.vendor_batch_id or ""].metadata.get("batchd_uid", batch.uid)
                if uid != batch.uid:
                    self._record.broken(checks.FOREIGN_BATCH, batch, batch.vendor_batch_id or "")
        if not listing.complete:
            self._record.note(self._subject, "its list could not be read to the end; what is absent was not judged")
        elif known:
            self._look_for_absent(listed)
        elif any(self._submitted()):
            self._record.note(
                self._subject, "its list shows none of the ledger's batches (another project's key?); none was judged"
            )

    def _look_for_absent(self, listed: Mapping[str, VendorBatch]) -> None:
        for batch in self._submitted():
            if batch.vendor_batch_id in listed or self._is_there(batch):
                continue
            now = self._now(batch)
            if now.vendor_batch_id != batch.vendor_batch_id or now.position is not BatchState.SUBMITTED:
                continue
            if now.state is BatchState.HELD:
                self._record.note(f"batch {batch.id}", "the vendor does not know it any more; it waits for a person")
            else:
                self._record.broken(checks.ABSENT, now, now.vendor_batch_id or "")

    def _submitted(self) -> Iterator[Batch]:
        """Batches whose results are still to come from this account, as far back as its list was read."""
        here = (self._account.name, self._account.fingerprint)
        for batch in pages(self._place.store, self._task, {BatchState.SUBMITTED}):
            is_listed = batch.intent_at is not None and batch.intent_at >= self._since
            if (batch.account, batch.account_fingerprint) == here and is_listed:
                yield batch

    def _is_there(self, batch: Batch) -> bool:
        # A list may lag; only the batch itself can be said not to be there.
        try:
            self._account.vendor.retrieve_batch(batch.vendor_batch_id or "")
        except VendorNotFoundError:
            return False
        except VendorError as error:
            self._record.note(f"batch {batch.id}", f"the vendor could not be asked about it ({error.code})")
        return True

    def _compare_batches(self, listing: Listing) -> None:
        """What the vendor has for each batch of this installation."""
        by_uid = self._by_uid(listing.batches)
        self._record.saw("vendor_batches", sum(len(ours) for ours in by_uid.values()))
        for some in _some(list(by_uid)):
            # Read after the list: a batch is in the ledger before it is at the vendor.
            known = self._with_uids(some)
            for uid in some:
                if uid in known:
                    self._compare(known[uid], by_uid[uid])
                else:
                    self._report_forgotten(by_uid[uid])

    def _by_uid(self, listed: Sequence[VendorBatch]) -> dict[str, list[VendorBatch]]:
        """The vendor's batches of this installation: by what they bear, or by the file they were made from."""
        found: dict[str, list[VendorBatch]] = defaultdict(list)
        for some in _some(listed):
            files = self._uids_of_files([one.input_file_id for one in some if one.input_file_id])
            for one in some:
                ours = one.metadata.get("batchd_installation") == self._installation
                uid = one.metadata.get("batchd_uid") if ours else files.get(one.input_file_id or "")
                if uid:
                    found[uid].append(one)
        return found

    def _compare(self, batch: Batch, ours: Sequence[VendorBatch]) -> None:
        """Where ledger and vendor differ both are asked once more: either may have moved since it was read."""
        if _difference(batch, ours) is None:
            self._note_what_was_paid(batch, ours)
            return
        try:
            ours = [found for one in ours if (found := self._as_it_is(one)) is not None]
        except VendorError as error:
            self._record.note(f"batch {batch.id}", f"the vendor could not be asked about it again ({error.code})")
            return
        batch = self._now(batch)
        check = _difference(batch, ours)
        live = ", ".join(f"{one.id} ({one.status})" for one in ours if _is_live(one))
        if check == checks.SENT_TWICE and self._was_reported(batch):
            self._record.note(f"batch {batch.id}", f"one create made more than one, as its finding says: {live}")
        elif check is not None:
            self._record.broken(check, batch, live)

    def _was_reported(self, batch: Batch) -> bool:
        """The vendor made two of one create, or made one late: batchd has seen that, and has told a person."""
        subject = f"batch {batch.id}"

        def told(ledger: Ledger) -> bool:
            return any(
                ledger.findings.is_open(kind, subject) or ledger.findings.was_closed(kind, subject) for kind in _TOLD
            )

        return self._place.store.read(told)

    def _as_it_is(self, one: VendorBatch) -> VendorBatch | None:
        try:
            found = self._account.vendor.retrieve_batch(one.id)
        except VendorNotFoundError:
            return None
        return replace(one, status=found.status, completed=found.completed)

    def _note_what_was_paid(self, batch: Batch, ours: Sequence[VendorBatch]) -> None:
        extras = [one for one in ours if one.id != batch.vendor_batch_id]
        done = sum(one.completed or 0 for one in extras if not _is_live(one))
        if done:
            sentence = f"{done:,} requests ran in batches that were cancelled or given up beside it, and were paid for"
            self._record.note(f"batch {batch.id}", sentence)
        if batch.state is BatchState.ABANDONED and any(_is_live(one) for one in ours):
            self._record.note(f"batch {batch.id}", "it was given up by a person, and the vendor has run it or runs it")

    def _report_forgotten(self, ours: Sequence[VendorBatch]) -> None:
        for one in ours:
            subject = f"{self._subject} batch {one.id}"
            if self._is_dealt_with(subject):
                self._record.note(subject, "the ledger has forgotten it, and a person has dealt with it")
            else:
                self._record.forgotten(checks.FORGOTTEN, subject)

    def _now(self, batch: Batch) -> Batch:
        return self._place.store.read(lambda ledger: ledger.batches.get(batch.id))

    def _is_dealt_with(self, subject: str) -> bool:
        return self._place.store.read(lambda ledger: ledger.findings.was_closed("stranger", subject))

    def _with_uids(self, uids: Sequence[str]) -> Mapping[str, Batch]:
        return self._place.store.read(lambda ledger: ledger.audit().with_uids(uids))

    def _with_vendor_ids(self, ids: Sequence[str]) -> Sequence[Batch]:
        fingerprint = self._account.fingerprint
        return self._place.store.read(lambda ledger: ledger.audit().with_vendor_ids(fingerprint, ids))

    def _uids_of_files(self, file_ids: Sequence[str]) -> Mapping[str, str]:
        return self._place.store.read(lambda ledger: ledger.audit().uids_of_files(file_ids))


def _difference(batch: Batch, ours: Sequence[VendorBatch]) -> str | None:
    """The check that fails for a batch, given what the vendor has for it."""
    live = [one for one in ours if _is_live(one)]
    if len(live) > 1:
        return checks.SENT_TWICE
    if live and batch.position is BatchState.BUILT:
        return checks.UNSENT_AT_VENDOR
    if live and batch.position in _FOLLOWED and batch.vendor_batch_id != live[0].id:
        return checks.NOT_FOLLOWED
    return None


def _is_live(one: VendorBatch) -> bool:
    """It ran, runs or will run: it is paid for."""
    status = one.status.lower()
    return status not in _DEAD and not (status == "expired" and not one.completed)


def _some(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), _AT_ONCE):
        yield items[start : start + _AT_ONCE]
