"""Files at a resource of Azure: an upload is pending first, and lives for ever unless told otherwise."""

import sqlite3

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from batchd.sandbox.files import FileRecord, file_object, list_files
from batchd.sandbox.files_routes import Upload, form_of, known_file, parts_of, store
from batchd.sandbox.service import Service
from batchd.sandbox.vendor_errors import VendorError, invalid_type, invalid_value, out_of_range

SHORTEST_LIFE, LONGEST_LIFE = 1_209_600, 2_592_000
MOST_LASTING, MOST_EXPIRING = 500, 10_000
RUNNING_SHARE = 0.5
CREATED = 201


async def create_file(service: Service, request: Request) -> Response:
    """Take a multipart upload; what is in it is read only when it is processed, and when a batch is made of it."""
    form = await form_of(request)
    try:
        upload = await run_in_threadpool(_checked, service, form)
        record = await run_in_threadpool(store, service, upload)
    finally:
        await form.close()
    with service.state.transaction() as connection:
        connection.execute(
            "INSERT INTO azure_file (file_id, processed_at) VALUES (?, ?)",
            (record.id, record.created_at + service.settings.file_processing),
        )
        return JSONResponse(_shown(service, connection, record), CREATED)


async def retrieve_file(service: Service, request: Request) -> Response:
    """Return a file object with its status of now."""
    record = known_file(service, request)
    with service.state.transaction() as connection:
        return JSONResponse(_shown(service, connection, record))


async def list_all_files(service: Service, request: Request) -> Response:
    """Return all files in one list: a resource has no pages of them."""
    with service.state.transaction() as connection:
        records = list_files(connection, service.clock.now(connection), request.query_params.get("purpose"))
        return JSONResponse({"object": "list", "data": [_shown(service, connection, one) for one in records]})


def status_of(service: Service, connection: sqlite3.Connection, record: FileRecord) -> str:
    """Return the status of a file now; what the resource made itself is processed from the beginning."""
    row = connection.execute("SELECT processed_at FROM azure_file WHERE file_id = ?", (record.id,)).fetchone()
    now = service.clock.now(connection)
    if row is None or now >= row["processed_at"]:
        return "processed"
    half = record.created_at + RUNNING_SHARE * (row["processed_at"] - record.created_at)
    return "pending" if now < half else "running"


def _shown(service: Service, connection: sqlite3.Connection, record: FileRecord) -> dict[str, object]:
    return {**file_object(record), "status": status_of(service, connection, record)}


def _checked(service: Service, form: FormData) -> Upload:
    purpose, part = parts_of(form)
    size, filename = part.size or 0, part.filename or ""
    if size > service.settings.max_batch_bytes:
        raise VendorError(400, "File is too large.")
    if purpose == "batch" and not filename.endswith(".jsonl"):
        raise VendorError(400, "A batch file is a .jsonl file.")
    upload = Upload(filename, purpose, size, part.file, _lifetime(form))
    _check_room(service, lasting=upload.lifetime is None)
    return upload


def _check_room(service: Service, *, lasting: bool) -> None:
    with service.state.transaction() as connection:
        uploaded = list_files(connection, service.clock.now(connection), "batch")
    held = sum((one.expires_at is None) == lasting for one in uploaded)
    most = MOST_LASTING if lasting else MOST_EXPIRING
    if held >= most:
        kind = "without" if lasting else "with"
        raise VendorError(400, f"The quota for files {kind} expiry is reached: {most}.", code="quotaExceeded")


def _lifetime(form: FormData) -> int | None:
    """Return the seconds a file lives: in dotted fields; one in brackets is not known here, and ignored."""
    anchor, seconds = form.get("expires_after.anchor"), form.get("expires_after.seconds")
    if anchor is None and seconds is None:
        return None
    if anchor != "created_at":
        raise invalid_value("expires_after.anchor", anchor, ("created_at",))
    if not isinstance(seconds, str) or not seconds.isdecimal():
        raise invalid_type("expires_after.seconds", "an integer")
    if not SHORTEST_LIFE <= int(seconds) <= LONGEST_LIFE:
        raise out_of_range("expires_after.seconds", int(seconds), SHORTEST_LIFE, LONGEST_LIFE)
    return int(seconds)
