"""Fields of a plate → nuclei and cells → crops on disk."""

from typing import TYPE_CHECKING

from cellssl.lazy import at_first_use

if TYPE_CHECKING:
    from cellssl.cells.appearance import describe_property, measure_appearance
    from cellssl.cells.cellpose import CellposeSegmenter
    from cellssl.cells.checking import check_crops, clean_crops
    from cellssl.cells.cropping import crop, stored_size
    from cellssl.cells.job import Job, segment_field
    from cellssl.cells.judging import REASONS
    from cellssl.cells.label_images import LabelImages
    from cellssl.cells.labels import Labels, Segmenter, find_nucleus_channel
    from cellssl.cells.matching import Matches, match_objects
    from cellssl.cells.nuclei import find_nuclei
    from cellssl.cells.shading import Shading
    from cellssl.cells.tally import CropReport
    from cellssl.cells.threshold import ThresholdSegmenter

__all__ = [
    "REASONS",
    "CellposeSegmenter",
    "CropReport",
    "Job",
    "LabelImages",
    "Labels",
    "Matches",
    "Segmenter",
    "Shading",
    "ThresholdSegmenter",
    "check_crops",
    "clean_crops",
    "crop",
    "describe_property",
    "find_nuclei",
    "find_nucleus_channel",
    "match_objects",
    "measure_appearance",
    "segment_field",
    "stored_size",
]

# Loaded at first use: the workers that cut fields need none of what writes crop files.
_homes = {
    "REASONS": "judging",
    "CellposeSegmenter": "cellpose",
    "CropReport": "tally",
    "Job": "job",
    "LabelImages": "label_images",
    "Labels": "labels",
    "Matches": "matching",
    "Segmenter": "labels",
    "Shading": "shading",
    "ThresholdSegmenter": "threshold",
    "check_crops": "checking",
    "clean_crops": "checking",
    "crop": "cropping",
    "describe_property": "appearance",
    "find_nuclei": "nuclei",
    "find_nucleus_channel": "labels",
    "match_objects": "matching",
    "measure_appearance": "appearance",
    "segment_field": "job",
    "stored_size": "cropping",
}


__getattr__ = at_first_use(__name__, _homes)
