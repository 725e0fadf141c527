"""Nothing but the cell."""

from torch import Tensor

from cellssl.augment.masks import SELF, grown
from cellssl.augment.operation import Masking
from cellssl.augment.quantities import number


class MaskBackground(Masking):
    """Hide everything but the cell itself, neighbours and background alike.

    The cell's outline is grown by `grow` pixels first; with nuclear masks alone this decides how
    much cytoplasm stays.
    """

    grow: int = number("rim that is kept around the mask", 0, unit="px", high=128, whole=True)

    name = "mask_background"
    invariance = "everything around the cell"

    def region(self, mask: Tensor) -> Tensor:
        return ~grown(mask == SELF, self.grow)
