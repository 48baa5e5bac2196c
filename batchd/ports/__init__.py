"""What the stages need from the outside, as protocols; the adapters and the fakes implement them."""

from batchd.ports.audit import Audit, Breach, Breaches, Rule
from batchd.ports.batches import Batches, Tasks
from batchd.ports.kept import KeptResults
from batchd.ports.link import Link
from batchd.ports.notices import Messenger, Notices, UntoldError
from batchd.ports.processes import Processes
from batchd.ports.quotas import Quotas
from batchd.ports.retention import Retention
from batchd.ports.rows import Contents, Findings, Gates, Requests, Rows
from batchd.ports.scope import EVERYTHING, Counts, Orders, Scope, Stage
from batchd.ports.spool import Coming, InputWriter, Spool
from batchd.ports.store import Ledger, Store
from batchd.ports.trail import Trail
from batchd.ports.vendor import Account, Vendor
from batchd.ports.vendor_files import VendorFiles
from batchd.ports.workplace import ConfiguredTask, Prices, Progress, Workplace

__all__ = [
    "EVERYTHING",
    "Account",
    "Audit",
    "Batches",
    "Breach",
    "Breaches",
    "Coming",
    "ConfiguredTask",
    "Contents",
    "Counts",
    "Findings",
    "Gates",
    "InputWriter",
    "KeptResults",
    "Ledger",
    "Link",
    "Messenger",
    "Notices",
    "Orders",
    "Prices",
    "Processes",
    "Progress",
    "Quotas",
    "Requests",
    "Retention",
    "Rows",
    "Rule",
    "Scope",
    "Spool",
    "Stage",
    "Store",
    "Tasks",
    "Trail",
    "UntoldError",
    "Vendor",
    "VendorFiles",
    "Workplace",
]
