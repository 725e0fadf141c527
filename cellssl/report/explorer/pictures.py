"""Crops as small pictures: one grey JPEG a cell, its channels one below the other."""

import base64
import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.colors import to_hex
from PIL import Image

from cellssl.crops import Crops
from cellssl.errors import CropError
from cellssl.progress import track
from cellssl.report.explorer.table import pack
from cellssl.report.figures.composite import UNMIXED, Colour, channel_colours
from cellssl.report.scaling import crop_rows, display_scaling, none_of_these
from cellssl.sampling import sample_wells

if TYPE_CHECKING:
    from anndata import AnnData


LARGEST = 160  # pixels: larger crops are shown reduced
QUALITY = 85  # of the JPEGs
BLOCK = 8  # pixels: what JPEG codes together; no block may hold two channels
TRIED = 64  # cells from which the size of all is told
READ = 256  # cells read at once


class Pictures:
    """The pictures of some cells, matched to the crop file by name.

    Parameters
    ----------
    cells
        The embedding: the cells' names and the intensity scaling that its encoder saw.
    crops
        The crop file.
    colours
        Channel → any colour that matplotlib knows; the usual ones for those left out.

    Attributes
    ----------
    there
        (N,) bool: whose crop is in the file.

    Raises
    ------
    CropError
        When no cell is in the crop file, or a channel or colour is not known.
    """

    def __init__(
        self, cells: "AnnData", crops: Crops, *, colours: Mapping[str, str] | None = None
    ) -> None:
        self.crops = crops
        self.obs = cells.obs
        self._rows = crop_rows(cells, crops)
        self.there = self._rows >= 0
        if not self.there.any():
            raise none_of_these(cells, crops)
        self._scaling = display_scaling(cells, crops)
        usual = channel_colours(crops.channels)
        self._colours = _choose_colours(crops.channels, usual, colours or {})
        self._hidden = {name for name in usual if usual[name] == UNMIXED} - set(colours or {})
        self._step = -(-crops.size // LARGEST)

    @property
    def brightness(self) -> str:
        """How grey values became brightness, in words."""
        rule = self._scaling.rule
        low, high = rule.percentiles
        whose = {"plate": "each plate's", "global": "all cells'", "cell": "each cell's own"}
        return f"Brightness: {whose[rule.per]} {low:g} to {high:g} %, {rule.transform}."

    def encode(self, cells: np.ndarray) -> list[bytes]:
        """Make the JPEGs of some cells (n,), given by their place in the embedding."""
        images = self._scaling.read(self.crops, self._rows[cells])
        return [self._jpeg(image) for image in np.round(images * 255).astype(np.uint8)]

    def _jpeg(self, image: np.ndarray) -> bytes:
        """Code one cell (C, H, W) uint8; each channel ends with a whole block."""
        planes = [np.asarray(Image.fromarray(plane).reduce(self._step)) for plane in image]
        padding = (0, -planes[0].shape[0] % BLOCK)
        stacked = np.concatenate([np.pad(p, (padding, (0, 0)), mode="edge") for p in planes])
        file = io.BytesIO()
        Image.fromarray(stacked).save(file, "jpeg", quality=QUALITY, optimize=True)
        return file.getvalue()

    def choose(self, megabytes: float) -> np.ndarray:
        """Choose the cells (n,) whose pictures fill so many megabytes of text: all, or evenly over the wells."""
        present = np.flatnonzero(self.there)
        tried = present[sample_wells(self.obs.iloc[present], TRIED)]
        mean = sum(map(len, self.encode(tried))) / len(tried) * 4 / 3  # base64
        fitting = max(int(megabytes * 1e6 / mean), 1)
        return present[sample_wells(self.obs.iloc[present], fitting)]

    def describe(self, pictured: np.ndarray, *, served: bool) -> dict[str, Any]:
        """Tell the page how to read the pictures, and which cells (N,) bool have one."""
        height, width = (-(-length // self._step) for length in self.crops.shape[2:])
        return {
            "channels": [
                {"name": name, "colour": code, "shown": name not in self._hidden}
                for name, code in self._colours.items()
            ],
            "height": height,
            "width": width,
            "stride": height + -height % BLOCK,
            "pictured": pack(pictured.astype(np.uint8)),
            "served": served,
        }

    def as_text(self, cells: np.ndarray, *, progress: bool) -> list[str | None]:
        """Code the pictures of some cells as base64 text, in a list of all cells."""
        texts: list[str | None] = [None] * len(self.there)
        parts = [cells[start : start + READ] for start in range(0, len(cells), READ)]
        for part in track(parts, "pictures", shown=progress):
            for cell, file in zip(part, self.encode(part), strict=True):
                texts[cell] = base64.b64encode(file).decode("ascii")
        return texts


def _choose_colours(
    channels: tuple[str, ...], usual: Mapping[str, Colour], wanted: Mapping[str, str]
) -> dict[str, str]:
    """Give each channel its colour as ``#rrggbb``, in the order of the pictures' planes."""
    unknown = [name for name in wanted if name not in channels]
    if unknown:
        raise CropError(f"no channel is called {unknown[0]!r}; there are {', '.join(channels)}")
    colours = {
        name: "#ffffff" if usual[name] == UNMIXED else to_hex(usual[name]) for name in channels
    }
    for name, colour in wanted.items():
        try:
            colours[name] = to_hex(colour)
        except ValueError as error:
            raise CropError(
                f"channel {name}: {colour!r} is no colour; give a name (blue, magenta) or #rrggbb"
            ) from error
    return colours
