"""What a vendor's clock says, by the Date header of any answer: no key, nothing paid, not even a right path."""

import email.utils

import httpx2

from batchd.vendors.sdk import is_this_machine

_SECONDS = 5.0


def vendor_time(base_url: str) -> float | None:
    """Unix seconds, whole ones; None where the vendor doesn't say, or can't be asked."""
    try:
        with httpx2.Client(timeout=_SECONDS, trust_env=not is_this_machine(base_url)) as client:
            told = client.head(base_url).headers.get("date")
        return None if told is None else email.utils.parsedate_to_datetime(told).timestamp()
    except (httpx2.HTTPError, httpx2.InvalidURL, ValueError):
        return None
