"""Cursor pages, as both lists of the API use them."""

from collections.abc import Sequence

from starlette.requests import Request

from batchd.sandbox.vendor_errors import VendorError, invalid_type, out_of_range


def page(objects: Sequence[dict[str, object]], after: str | None, limit: int) -> dict[str, object]:
    """Return the objects behind the cursor, at most ``limit``, with the ids of both ends.

    Raises VendorError (404) when the cursor names nothing in the list.
    """
    start = 0
    if after is not None:
        ids = [item["id"] for item in objects]
        if after not in ids:
            raise VendorError(404, f"Nothing found with id '{after}'.", param="after")
        start = ids.index(after) + 1
    shown = objects[start : start + limit]
    return {
        "object": "list",
        "data": list(shown),
        "first_id": shown[0]["id"] if shown else None,
        "last_id": shown[-1]["id"] if shown else None,
        "has_more": start + limit < len(objects),
    }


def page_limit(request: Request, default: int, highest: int) -> int:
    """Read the query parameter ``limit``; raises VendorError (400) unless it is 1 to ``highest``."""
    text = request.query_params.get("limit")
    if text is None:
        return default
    try:
        limit = int(text)
    except ValueError:
        raise invalid_type("limit", "an integer") from None
    if not 1 <= limit <= highest:
        raise out_of_range("limit", limit, 1, highest)
    return limit
