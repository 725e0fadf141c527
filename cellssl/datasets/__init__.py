"""Images of any origin as one indexed source on the device."""

from cellssl.datasets.crop_source import CropSource
from cellssl.datasets.source import Source

__all__ = ["CropSource", "Source"]
