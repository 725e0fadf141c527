"""Images of any origin as one indexed source on the device, or brought into a crop file."""

from cellssl.datasets.crop_source import CropSource
from cellssl.datasets.importing import import_images
from cellssl.datasets.source import Source

__all__ = ["CropSource", "Source", "import_images"]
