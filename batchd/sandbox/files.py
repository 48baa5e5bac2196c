"""Records of uploaded and produced files. An expired file is gone, as a deleted one is."""

import sqlite3
from dataclasses import dataclass

BATCH_SECONDS = 30 * 86_400


@dataclass(frozen=True)
class FileRecord:
    """One file as the sandbox knows it; times are virtual Unix seconds."""

    id: str
    filename: str
    purpose: str
    bytes: int
    created_at: float
    expires_at: float | None


def add_file(connection: sqlite3.Connection, record: FileRecord) -> None:
    """Remember a file whose content is already in place."""
    connection.execute(
        "INSERT INTO file (id, filename, purpose, bytes, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?)",
        (record.id, record.filename, record.purpose, record.bytes, record.created_at, record.expires_at),
    )


def find_file(connection: sqlite3.Connection, file_id: str, now: float) -> FileRecord | None:
    """Return the file, or None when it is unknown, deleted or expired."""
    row = connection.execute(
        "SELECT * FROM file WHERE id = ? AND NOT deleted AND (expires_at IS NULL OR expires_at > ?)",
        (file_id, now),
    ).fetchone()
    return None if row is None else _record(row)


def list_files(connection: sqlite3.Connection, now: float, purpose: str | None) -> list[FileRecord]:
    """Return the files that exist now, newest first."""
    rows = connection.execute(
        "SELECT * FROM file WHERE NOT deleted AND (expires_at IS NULL OR expires_at > ?)"
        " AND (? IS NULL OR purpose = ?) ORDER BY seq DESC",
        (now, purpose, purpose),
    )
    return [_record(row) for row in rows]


def mark_deleted(connection: sqlite3.Connection, file_id: str) -> None:
    """Make the file unknown to callers; its content may still be needed by a running batch."""
    connection.execute("UPDATE file SET deleted = 1 WHERE id = ?", (file_id,))


def is_deleted(connection: sqlite3.Connection, file_id: str) -> bool:
    """Tell whether a file was deleted by a caller."""
    row = connection.execute("SELECT deleted FROM file WHERE id = ?", (file_id,)).fetchone()
    return row is not None and bool(row["deleted"])


def file_object(record: FileRecord) -> dict[str, object]:
    """Return the file as the API shows it."""
    return {
        "id": record.id,
        "object": "file",
        "bytes": record.bytes,
        "created_at": int(record.created_at),
        "expires_at": None if record.expires_at is None else int(record.expires_at),
        "filename": record.filename,
        "purpose": record.purpose,
        "status": "processed",
        "status_details": None,
    }


def _record(row: sqlite3.Row) -> FileRecord:
    return FileRecord(row["id"], row["filename"], row["purpose"], row["bytes"], row["created_at"], row["expires_at"])
