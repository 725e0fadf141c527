"""Fields of a plate → nuclei and cells → crops on disk."""

from typing import TYPE_CHECKING

from cellssl.lazy import at_first_use

if TYPE_CHECKING:
    from cellssl.cells.appearance import describe_property, measure_appearance
    from cellssl.cells.cropping import crop
    from cellssl.cells.job import Job, segment_field
    from cellssl.cells.quality.checking import check_crops, clean_crops
    from cellssl.cells.quality.judging import REASONS
    from cellssl.cells.segmentation.cellpose import CellposeSegmenter
    from cellssl.cells.segmentation.label_images import LabelImages
    from cellssl.cells.segmentation.labels import Labels, Segmenter, find_nucleus_channel
    from cellssl.cells.segmentation.matching import Matches, match_objects
    from cellssl.cells.segmentation.nuclei import find_nuclei
    from cellssl.cells.segmentation.threshold import ThresholdSegmenter
    from cellssl.cells.shading import Shading
    from cellssl.cells.tally import CropReport

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
]

# Loaded at first use: the workers that cut fields need none of what writes crop files.
_homes = {
    "REASONS": "quality.judging",
    "CellposeSegmenter": "segmentation.cellpose",
    "CropReport": "tally",
    "Job": "job",
    "LabelImages": "segmentation.label_images",
    "Labels": "segmentation.labels",
    "Matches": "segmentation.matching",
    "Segmenter": "segmentation.labels",
    "Shading": "shading",
    "ThresholdSegmenter": "segmentation.threshold",
    "check_crops": "quality.checking",
    "clean_crops": "quality.checking",
    "crop": "cropping",
    "describe_property": "appearance",
    "find_nuclei": "segmentation.nuclei",
    "find_nucleus_channel": "segmentation.labels",
    "match_objects": "segmentation.matching",
    "measure_appearance": "appearance",
    "segment_field": "job",
}


__getattr__ = at_first_use(__name__, _homes)
