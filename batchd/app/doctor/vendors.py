"""The vendors that are used: whether they can be reached and take the key. A list is asked for, and nothing paid."""

import contextlib
import time
from collections.abc import Iterator

from batchd.app.accounts import connect_named, connection_of
from batchd.app.doctor.database import compare_with_vendor
from batchd.app.remarks import Remark
from batchd.config import AzureVendorConfig, Config
from batchd.config.vendors import SandboxVendorConfig
from batchd.store.opening import Database
from batchd.vendors.clock import vendor_time

# Whatever the list holds is older than that: its first page is the last.
_A_DAY_AHEAD = 86_400


def look_at_vendor(config: Config, name: str, database: Database | None) -> Iterator[Remark]:
    """One account. Raises ConfigError, VendorError."""
    subject, vendor = f"vendor {name}", config.vendors[name]
    if isinstance(vendor, SandboxVendorConfig):
        # To ask it would start it, and with it its batches.
        yield Remark("ok", subject, "batchd's own local vendor: it takes no key, and is not asked")
        return
    connection = connection_of(config, name, vendor)
    if not vendor.listing:
        told = "it lists nothing (listing = false), so nobody knows whether it takes the key until a batch is sent"
        yield Remark("warning", subject, told)
    else:
        with contextlib.ExitStack() as stack:
            account = connect_named(config, stack, {name})[name]
            listing = account.vendor.list_batches(int(time.time()) + _A_DAY_AHEAD)
        if listing.complete:
            yield Remark("ok", subject, "it takes the key, and lists its batches")
        else:
            told = "it answers, and does not list its batches as it should: an unclear submit will wait for a person"
            yield Remark("warning", subject, told, f"listing = false in [vendors.{name}], if it never does")
    url = vendor.endpoint if isinstance(vendor, AzureVendorConfig) else connection.base_url
    vendor_now = vendor_time(url)
    if vendor_now is not None:
        yield compare_with_vendor(name, vendor_now, database)
