"""Fields of a plate → nuclei and cells → crops on disk."""

from cellssl.cells.cellpose import CellposeSegmenter
from cellssl.cells.cropping import crop
from cellssl.cells.labels import Labels, Segmenter, find_nucleus_channel
from cellssl.cells.nuclei import find_nuclei
from cellssl.cells.tally import CropReport
from cellssl.cells.threshold import ThresholdSegmenter

__all__ = [
    "CellposeSegmenter",
    "CropReport",
    "Labels",
    "Segmenter",
    "ThresholdSegmenter",
    "crop",
    "find_nuclei",
    "find_nucleus_channel",
]
