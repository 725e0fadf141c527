from .appearance import (
    describe_property as describe_property,
    measure_appearance as measure_appearance,
)
from .cropping import crop as crop
from .job import Job as Job, segment_field as segment_field
from .quality.checking import check_crops as check_crops, clean_crops as clean_crops
from .quality.judging import REASONS as REASONS
from .segmentation.cellpose import CellposeSegmenter as CellposeSegmenter
from .segmentation.label_images import LabelImages as LabelImages
from .segmentation.labels import (
    Labels as Labels,
    Segmenter as Segmenter,
    find_nucleus_channel as find_nucleus_channel,
)
from .segmentation.matching import Matches as Matches, match_objects as match_objects
from .segmentation.nuclei import find_nuclei as find_nuclei
from .segmentation.threshold import ThresholdSegmenter as ThresholdSegmenter
from .shading import Shading as Shading
from .tally import CropReport as CropReport
