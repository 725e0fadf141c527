"""Images of any origin as one indexed source on the device, brought into a crop file, or downloaded."""

from typing import TYPE_CHECKING

from cellssl.lazy import at_first_use

if TYPE_CHECKING:
    from cellssl.datasets.crop_source import CropSource
    from cellssl.datasets.downloads import get_data, load_manifest, manifest_names, verify_data
    from cellssl.datasets.importing import import_images
    from cellssl.datasets.source import Source

__all__ = [
    "CropSource",
    "Source",
    "get_data",
    "import_images",
    "load_manifest",
    "manifest_names",
    "verify_data",
]

# Loaded at first use: downloads need no torch, and training no HTTP.
_homes = {
    "CropSource": "crop_source",
    "Source": "source",
    "get_data": "downloads",
    "import_images": "importing",
    "load_manifest": "downloads",
    "manifest_names": "downloads",
    "verify_data": "downloads",
}


__getattr__ = at_first_use(__name__, _homes)
