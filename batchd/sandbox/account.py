"""What was paid: for how many requests, and how often for each custom_id and each input."""

import sqlite3

MOST_NAMED = 100


def account(connection: sqlite3.Connection) -> dict[str, object]:
    """Return the account of all batches; an input is known by the hash of its text, not by its custom_id."""
    by_input = _counted(connection, "input_hash")
    (batches,) = connection.execute("SELECT count(*) FROM batch").fetchone()
    asked, said = connection.execute(
        "SELECT coalesce(sum(input_tokens), 0), coalesce(sum(output_tokens), 0) FROM payment"
    ).fetchone()
    return {
        "batches": batches,
        "requests_paid": sum(by_input.values()),
        "inputs_paid": len(by_input),
        "max_paid_per_input": max(by_input.values(), default=0),
        "paid_more_than_once": _repeated(connection),
        "by_custom_id": _counted(connection, "custom_id"),
        "by_input": by_input,
        "input_tokens": asked,
        "output_tokens": said,
    }


def _counted(connection: sqlite3.Connection, column: str) -> dict[str, int]:
    rows = connection.execute(f"SELECT {column}, count(*) FROM payment GROUP BY {column}")  # noqa: S608, our names
    return dict(tuple(row) for row in rows)


def _repeated(connection: sqlite3.Connection) -> list[dict[str, object]]:
    rows = connection.execute(
        "SELECT input_hash, count(*) AS times, group_concat(custom_id, char(10)) AS custom_ids FROM payment"
        " GROUP BY input_hash HAVING count(*) > 1 ORDER BY times DESC, input_hash LIMIT ?",
        (MOST_NAMED,),
    )
    return [
        {"input": row["input_hash"], "times": row["times"], "custom_ids": row["custom_ids"].split("\n")} for row in rows
    ]
