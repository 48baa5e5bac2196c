"""The routes under /v1/files."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response

from batchd.sandbox.batches import open_batches
from batchd.sandbox.files import (
    BATCH_SECONDS,
    FileRecord,
    add_file,
    file_object,
    find_file,
    list_files,
    mark_deleted,
)
from batchd.sandbox.identifiers import new_id
from batchd.sandbox.pages import page, page_limit
from batchd.sandbox.service import Service
from batchd.sandbox.vendor_errors import (
    VendorError,
    invalid_type,
    invalid_value,
    missing_parameter,
    out_of_range,
)

PURPOSES = ("assistants", "batch", "fine-tune", "vision", "user_data", "evals")
SHORTEST_EXPIRY, LONGEST_EXPIRY = 3_600, 2_592_000
MOST_LISTED = 10_000


@dataclass(frozen=True)
class Upload:
    """A checked upload that is not yet stored; ``lifetime`` in seconds, None for one that never expires."""

    filename: str
    purpose: str
    size: int
    content: BinaryIO
    lifetime: int | None


async def create_file(service: Service, request: Request) -> Response:
    """Take a multipart upload with its parts in any order."""
    form = await form_of(request)
    try:
        upload = await run_in_threadpool(_checked, service, form)
        return JSONResponse(file_object(await run_in_threadpool(store, service, upload)))
    finally:
        await form.close()


async def form_of(request: Request) -> FormData:
    """Return the parts of a multipart body; the caller closes them."""
    try:
        return await request.form()
    except (MultiPartException, HTTPException):
        raise VendorError(400, "The multipart body cannot be read.") from None


async def retrieve_file(service: Service, request: Request) -> Response:
    """Return a file object."""
    return JSONResponse(file_object(known_file(service, request)))


async def file_content(service: Service, request: Request) -> Response:
    """Return the bytes of a file."""
    path = service.state.content(known_file(service, request).id)
    return FileResponse(path, media_type="application/octet-stream")


async def delete_file(service: Service, request: Request) -> Response:
    """Delete a file; what a running batch still reads of it goes when that batch has ended."""
    record = known_file(service, request)
    with service.state.transaction() as connection:
        mark_deleted(connection, record.id)
        if all(batch.created.input_file_id != record.id for batch in open_batches(connection)):
            service.state.content(record.id).unlink(missing_ok=True)
    return JSONResponse({"id": record.id, "object": "file", "deleted": True})


async def list_all_files(service: Service, request: Request) -> Response:
    """Return a page of files, newest first unless ``order=asc``."""
    limit = page_limit(request, MOST_LISTED, MOST_LISTED)
    order = request.query_params.get("order", "desc")
    if order not in ("asc", "desc"):
        raise invalid_value("order", order, ("asc", "desc"))
    with service.state.transaction() as connection:
        records = list_files(connection, service.clock.now(connection), request.query_params.get("purpose"))
    objects = [file_object(record) for record in records]
    if order == "asc":
        objects.reverse()
    return JSONResponse(page(objects, request.query_params.get("after"), limit))


def known_file(service: Service, request: Request) -> FileRecord:
    """Return the file that a path names; raises VendorError (404) when there is none."""
    file_id = request.path_params["file_id"]
    with service.state.transaction() as connection:
        record = find_file(connection, file_id, service.clock.now(connection))
    if record is None:
        raise VendorError(404, f"No such File object: {file_id}", param="id")
    return record


def _checked(service: Service, form: FormData) -> Upload:
    purpose, part = parts_of(form)
    size = part.size or 0
    most = service.settings.max_batch_bytes if purpose == "batch" else service.settings.max_file_bytes
    if size > most:
        raise VendorError(400, "File is too large.")
    if purpose == "batch":
        _check_batch_file(part.filename or "", part.file, size)
    lifetime = _expires_after(form) or (BATCH_SECONDS if purpose == "batch" else None)
    return Upload(part.filename or "", purpose, size, part.file, lifetime)


def parts_of(form: FormData) -> tuple[str, UploadFile]:
    """Return the two parts that every upload has, its purpose and its file."""
    purpose, part = form.get("purpose"), form.get("file")
    if part is None:
        raise missing_parameter("file")
    if not isinstance(part, UploadFile):
        raise invalid_type("file", "a file")
    if not purpose:
        raise missing_parameter("purpose")
    if purpose not in PURPOSES:
        raise invalid_value("purpose", purpose, PURPOSES)
    return str(purpose), part


def _check_batch_file(filename: str, content: BinaryIO, size: int) -> None:
    if not filename.endswith(".jsonl"):
        raise VendorError(400, "Invalid file format for Batch API. Must be .jsonl")
    if size == 0:
        raise VendorError(400, "Invalid file format for Batch API: the .jsonl file is empty.")
    content.seek(0)
    try:
        first = orjson.loads(content.readline())
    except orjson.JSONDecodeError:
        first = None
    if not isinstance(first, dict):
        raise VendorError(400, "Invalid file format for Batch API: the first line of the .jsonl is no JSON object.")


def _expires_after(form: FormData) -> int | None:
    anchor = form.get("expires_after[anchor]", form.get("expires_after.anchor"))
    seconds = form.get("expires_after[seconds]", form.get("expires_after.seconds"))
    if anchor is None and seconds is None:
        return None
    if anchor != "created_at":
        raise invalid_value("expires_after.anchor", anchor, ("created_at",))
    if not isinstance(seconds, str) or not seconds.isdecimal():
        raise invalid_type("expires_after.seconds", "an integer")
    if not SHORTEST_EXPIRY <= int(seconds) <= LONGEST_EXPIRY:
        raise out_of_range("expires_after.seconds", int(seconds), SHORTEST_EXPIRY, LONGEST_EXPIRY)
    return int(seconds)


def store(service: Service, upload: Upload) -> FileRecord:
    """Keep an upload and its content."""
    file_id = new_id("file-")
    _copy(upload.content, service.state.content(file_id))
    with service.state.transaction() as connection:
        now = service.clock.now(connection)
        expires_at = None if upload.lifetime is None else now + upload.lifetime
        record = FileRecord(file_id, upload.filename, upload.purpose, upload.size, now, expires_at)
        add_file(connection, record)
    return record


def _copy(content: BinaryIO, target: Path) -> None:
    content.seek(0)
    with target.open("wb") as stream:
        shutil.copyfileobj(content, stream, 1 << 20)
