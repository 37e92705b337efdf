"""What has happened in a run: receipts, the lease under which they are written, the manifest, and its proof."""

from scoremill.naming import MANIFEST

from .journal import JOB, Ledger, is_part, require_output
from .lease import Lease, accounts, refuse_held
from .manifest import Entry, Manifest, Origin, Totals, parity_of, read_manifest, write_manifest
from .receipt import Part, Receipt
from .verify import Verified, verify

__all__ = [
    "JOB",
    "MANIFEST",
    "Entry",
    "Lease",
    "Ledger",
    "Manifest",
    "Origin",
    "Part",
    "Receipt",
    "Totals",
    "Verified",
    "accounts",
    "is_part",
    "parity_of",
    "read_manifest",
    "refuse_held",
    "require_output",
    "verify",
    "write_manifest",
]
