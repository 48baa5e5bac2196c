"""OpenAI and compatible servers through the official SDK, less those of its habits that cost money.

Replies are read as raw JSON (``vendors.wire``): the SDK's models are stricter than servers are alike.
"""

import contextlib
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TypeVar, cast

import httpx2
import openai

from batchd.core.model import Listing, VendorBatch
from batchd.core.states import VendorPhase, phase_of
from batchd.errors import (
    VendorError,
    VendorNotFoundError,
    VendorRefusedError,
    VendorUnclearError,
    VendorUnreachableError,
)
from batchd.vendors import wire
from batchd.vendors.connection import Connection
from batchd.vendors.errors import Call, Reply, error_for
from batchd.vendors.listing import PAGE_SIZE, walk
from batchd.vendors.sdk import create_timeouts, openai_client, read_timeouts, shown, silence_loggers
from batchd.vendors.timed_file import opened

# A reply may keep silent that long; a whole transfer may take longer.
_SILENCE_SECONDS = 120.0
_REPEATS = 2
_NEVER_SENT = (
    httpx2.ConnectError,
    httpx2.ConnectTimeout,
    httpx2.PoolTimeout,
    httpx2.ProxyError,
    httpx2.UnsupportedProtocol,
    httpx2.InvalidURL,
)
_TRANSPORT = (
    openai.OpenAIError,
    httpx2.HTTPError,
    httpx2.InvalidURL,
    httpx2.StreamError,
    ssl.SSLError,
)

T = TypeVar("T")
ClientMaker = Callable[[httpx2.Timeout, int], openai.OpenAI]
"""Makes an SDK client of these time limits that repeats a call so many times."""


class _RawReply(Protocol):
    @property
    def content(self) -> bytes: ...


class OpenAIVendor:
    """A Batch API server; implements the ``Vendor`` port.

    Calls whose repeat could pay twice are sent once; the others are repeated up to twice by the SDK.
    Nothing is taken from the SDK's environment variables (``OPENAI_*``); proxies are, save for this machine.
    """

    def __init__(self, connection: Connection, make: ClientMaker | None = None) -> None:
        silence_loggers()
        make = make or partial(openai_client, connection)
        silence = min(_SILENCE_SECONDS, connection.timeout / 4)
        self._where = shown(connection.base_url)
        self._sending_seconds = connection.timeout - silence
        self._once = make(create_timeouts(connection.create_timeout), 0)
        self._again = make(read_timeouts(silence), _REPEATS)

    def close(self) -> None:
        """Closes the connections that are kept open between calls."""
        self._once.close()
        self._again.close()

    def upload(self, path: Path, filename: str) -> str:
        """Uploads a batch input file; returns the vendor's file id. A repeat costs nothing."""
        return self._send(path, filename, {}).id

    def create_batch(self, file_id: str, endpoint: str, metadata: Mapping[str, str]) -> VendorBatch:
        """Creates a batch, with one single POST: a repeated POST is a second paid batch."""
        return self._ask(
            Call.CREATE,
            lambda: self._once.batches.with_raw_response.create(
                input_file_id=file_id,
                endpoint=cast("Any", endpoint),
                completion_window="24h",
                metadata=dict(metadata),
            ),
            wire.batch_from_json,
        )

    def retrieve_batch(self, batch_id: str) -> VendorBatch:
        """The batch as it is now. Raises VendorNotFoundError for an id the vendor does not know."""
        batches = self._again.batches.with_raw_response
        return self._ask(Call.RETRIEVE, lambda: batches.retrieve(_checked_id(batch_id)), wire.batch_from_json)

    def list_batches(self, since: int) -> Listing:
        """Batches created at or after ``since`` (Unix seconds), as many pages as it takes.

        A server that has no list gives an empty, incomplete one: what isn't in it may exist all the same.
        """
        try:
            return walk(self._page_after, since)
        except VendorRefusedError:
            return Listing((), complete=False)

    def cancel_batch(self, batch_id: str) -> VendorBatch:
        """Asks the vendor to cancel; one that has ended already is returned as it is."""
        batches = self._once.batches.with_raw_response
        try:
            return self._ask(Call.CANCEL, lambda: batches.cancel(_checked_id(batch_id)), wire.batch_from_json)
        except (VendorUnclearError, VendorRefusedError):
            batch = self.retrieve_batch(batch_id)
            if phase_of(batch.status) is VendorPhase.ENDED or batch.status == "cancelling":
                return batch
            raise

    def file_bytes(self, file_id: str) -> int | None:
        """The size of a file in bytes, None where the vendor does not tell."""
        files = self._again.files.with_raw_response
        try:
            return self._ask(Call.FILE, lambda: files.retrieve(_checked_id(file_id)), wire.file_bytes_from_json)
        except (VendorNotFoundError, VendorRefusedError):
            # Not every compatible server describes its result files; the download says whether it is there.
            return None

    def download(self, file_id: str, sink: BinaryIO) -> None:
        """Streams a file's bytes. Raises VendorUnclearError where the stream ends early."""
        content = self._again.files.with_streaming_response.content
        with self._mapped(Call.DOWNLOAD), content(_checked_id(file_id)) as response:
            sink.writelines(response.iter_bytes())
            # Counted before decompression, as Content-Length is.
            received = response.http_response.num_bytes_downloaded
            told = wire.whole_number(response.headers.get("content-length"))
        if told is not None and received != told:
            raise VendorUnclearError(
                f"{self._where} sent {received} bytes of a file and had announced {told}",
                code="short_download",
                next_command="run the command again in a minute",
            )

    def delete_file(self, file_id: str) -> None:
        """Deletes a file; one that is gone already is no error."""
        with contextlib.suppress(VendorNotFoundError), self._mapped(Call.DELETE):
            self._again.files.with_raw_response.delete(_checked_id(file_id))

    def _send(self, path: Path, filename: str, fields: Mapping[str, Any]) -> wire.UploadedFile:
        """Uploads a file, with these further fields of the form."""
        files = self._again.files.with_raw_response
        with opened(path, time.monotonic() + self._sending_seconds, self._where) as file:
            return self._ask(
                Call.UPLOAD,
                lambda: files.create(file=(filename, file), purpose="batch", extra_body=dict(fields) or None),
                wire.file_from_json,
            )

    def _page_after(self, cursor: str | None) -> wire.BatchPage:
        batches = self._again.batches.with_raw_response
        return self._ask(
            Call.LIST,
            lambda: batches.list(limit=PAGE_SIZE, after=cursor or openai.omit),
            wire.page_from_json,
        )

    def _ask(self, call: Call, send: Callable[[], _RawReply], read: Callable[[Any], T]) -> T:
        """Sends a request and reads its reply; a success that cannot be read leaves open what happened."""
        with self._mapped(call):
            body = send().content
        try:
            return read(wire.json_from_bytes(body))
        except ValueError as error:
            raise VendorUnclearError(
                f"{self._where} was asked to {call}: its reply is no Batch API reply",
                code="unreadable_reply",
                next_command="check the base_url of this [vendors] section",
            ) from error

    @contextlib.contextmanager
    def _mapped(self, call: Call) -> Iterator[None]:
        """Maps what the SDK and the transport raise into batchd's tree."""
        try:
            yield
        except openai.APIStatusError as error:
            response = error.response
            reply = Reply(response.status_code, response.headers, response.content)
            raise error_for(call, reply, self._where) from error
        except _TRANSPORT as error:
            raise self._without_reply(call, error) from error
        except UnicodeError:
            # Not chained: the error carries the header, and a header may be the key.
            raise VendorRefusedError(
                f"cannot {call}: the organization or project name has characters that no header can carry",
                code="bad_header",
                next_command="correct organization and project of this [vendors] section",
            ) from None

    def _without_reply(self, call: Call, error: Exception) -> VendorError:
        cause = error.__cause__ if isinstance(error, openai.APIConnectionError) else error
        if isinstance(cause, _NEVER_SENT):
            return VendorUnreachableError(
                f"cannot {call}: {self._where} cannot be reached ({type(cause).__name__})",
                code="unreachable",
                next_command="check base_url, the network, proxy and certificates, and that the server runs",
            )
        code = "timeout" if isinstance(cause, httpx2.TimeoutException) else "connection_lost"
        return VendorUnclearError(
            f"{self._where} was asked to {call} and gave no whole reply ({type(cause).__name__})",
            code=code,
            next_command="run the command again in a minute",
        )


def _checked_id(value: str) -> str:
    """The id, unless no path can be made of it: then nobody knows it. The SDK quotes the others."""
    if not value.strip("."):
        raise VendorNotFoundError("this is no id of a batch or a file", code="no_id")
    return value
