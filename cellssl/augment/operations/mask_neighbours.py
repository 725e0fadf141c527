"""A cell without its neighbours."""

from torch import Tensor

from cellssl.augment.masks import OTHERS, SELF, grown
from cellssl.augment.operation import Masking
from cellssl.augment.quantities import number


class MaskNeighbours(Masking):
    """Hide other cells; the cell itself and the background stay.

    The neighbours' outlines are grown by `grow` pixels, to take their blurred rim and (with nuclear
    masks) some of their cytoplasm along, but never over the cell's own mask.
    """

    grow: int = number("rim that is hidden around others", 0, unit="px", high=128, whole=True)

    name = "mask_neighbours"
    invariance = "neighbouring cells"

    def region(self, mask: Tensor) -> Tensor:
        return grown(mask == OTHERS, self.grow) & (mask != SELF)
