"""Public data sets and weights by manifest: where they lie, what they must be, on which terms."""

from cellssl.datasets.downloads.getting import Obtained, get_data
from cellssl.datasets.downloads.manifest import File, Licence, Manifest
from cellssl.datasets.downloads.reading import load_manifest, manifest_names, read_manifest
from cellssl.datasets.downloads.unpacking import Limits, unpack
from cellssl.datasets.downloads.verifying import Finding, Verified, count_here, verify_data
from cellssl.errors import DataError

__all__ = [
    "DataError",
    "File",
    "Finding",
    "Licence",
    "Limits",
    "Manifest",
    "Obtained",
    "Verified",
    "count_here",
    "get_data",
    "load_manifest",
    "manifest_names",
    "read_manifest",
    "unpack",
    "verify_data",
]
