"""Crops on disk as a source of scaled images."""

import hashlib
import logging
from collections.abc import Sequence
from typing import Self

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from cellssl.crops import Crops, FittedScaling, scale
from cellssl.crops.batches import batches
from cellssl.crops.rows import Rows, row_numbers
from cellssl.crops.store import channel_numbers
from cellssl.errors import CropError

_LOG = logging.getLogger(__name__)
_OTHER_CHANNELS = "Rename channels (`cellssl crops join --channel OLD=NEW`), or change `channels:` in the protocol."

# torch cannot gather unsigned integers of more than 8 bits: they are held as the signed integers of
# the same bits, and read back by masking those bits out of a wider integer.
_SIGNED = {np.dtype(np.uint16): np.int16, np.dtype(np.uint32): np.int32}


class CropSource:
    """Cells of a crop file, scaled to [0, 1] when they are gathered.

    The pixels stay integers, in the memory of the device when they fit into `memory_limit`;
    otherwise each batch is read from the file. Gathering and scaling run on the device and never
    wait for it.

    Parameters
    ----------
    crops : Crops
        An open crop file.
    scaling : FittedScaling
        Which grey values become 0 and 1, already fitted to these crops.
    rows : sequence of int or boolean mask, optional
        Which cells; all by default.
    channels : sequence of str, optional
        Names in the order that the encoder expects; those of the file by default.
    masks : bool
        Whether `gather_masks` shall give the cells' masks.
    memory_limit : int
        Bytes that the integer pixels and the masks may take; with more they stay on disk.

    Raises
    ------
    CropError
        When a channel is not in the file, masks are wanted and not there, or no cell is left.

    Examples
    --------
    >>> from cellssl.crops import Crops, Scaling, fit_scaling
    >>> crops = Crops.open("crops.h5ad")  # doctest: +SKIP
    >>> source = CropSource(crops, fit_scaling(crops, Scaling(per="global")))  # doctest: +SKIP
    >>> source.gather(torch.tensor([3, 0])).shape  # doctest: +SKIP
    torch.Size([2, 3, 96, 96])
    """

    def __init__(
        self,
        crops: Crops,
        scaling: FittedScaling,
        *,
        rows: Rows | None = None,
        channels: Sequence[str] | None = None,
        masks: bool = False,
        memory_limit: int = 4 * 2**30,
    ) -> None:
        self._crops = crops
        self.channels = tuple(crops.channels if channels is None else channels)
        self.size = crops.size
        self._columns = channel_numbers(
            self.channels, crops.channels, owner=crops.path, mend=_OTHER_CHANNELS
        )
        self._rows = row_numbers(rows, len(crops))
        if not len(self._rows):
            raise CropError(f"no cell is left of the {len(crops)} in {crops.path}")
        self.obs: pd.DataFrame = crops.obs.iloc[self._rows]
        self._transform = scaling.rule.transform
        low, high = scaling.bounds(crops, self._rows, channels=self.channels)
        self.samples = torch.from_numpy(_stable_ids(self.obs.index))
        self._low, self._high = torch.from_numpy(low), torch.from_numpy(high)
        self._signed = np.dtype(_SIGNED.get(crops.dtype, crops.dtype))
        if masks and not crops.mask_names:
            raise CropError(f"{crops.path} has no masks; cut the cells anew with masks")
        self._masked = masks
        self._masks: Tensor | None = None
        self._pixels = self._load(memory_limit)

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def device(self) -> torch.device:
        """Where images are gathered."""
        return self._low.device

    @property
    def in_memory(self) -> bool:
        """Whether the pixels lie on the device (or are read from the file batch by batch)."""
        return self._pixels is not None

    def gather(self, index: Tensor) -> Tensor:
        """Take cells and scale them.

        Parameters
        ----------
        index : Tensor
            (B,) int64 positions in this source, on its device; any order, repeats allowed.

        Returns
        -------
        Tensor
            (B, C, size, size) float32 in [0, 1].
        """
        if self._pixels is not None:
            return self.scaled(self._pixels.index_select(0, index), index)
        return self.scaled(self.read(index.cpu()).to(self.device), index)

    def read(self, index: Tensor) -> Tensor:
        """Read the pixels of cells at positions `index` (B,), on the CPU, from the file.

        Returns
        -------
        Tensor
            (B, C, size, size) in a signed type of the file's bits, in host memory (pinned where a
            GPU is to get them).
        """
        return self._pinned(self._take(self._rows[index.numpy()]))

    def read_masks(self, index: Tensor) -> Tensor | None:
        """Read their masks: (B, M, size, size) uint8, or None."""
        if not self._masked:
            return None
        masks = self._crops.masks(self._rows[index.numpy()])
        return None if masks is None else self._pinned(masks)

    def scaled(self, pixels: Tensor, index: Tensor) -> Tensor:
        """Scale the pixels of cells at positions `index`, both on the device, as `gather` does."""
        if self._crops.dtype == np.uint16:
            pixels = pixels.to(torch.int32).bitwise_and(0xFFFF)
        elif self._crops.dtype == np.uint32:
            pixels = pixels.to(torch.int64).bitwise_and(0xFFFFFFFF)
        low, high = self._low.index_select(0, index), self._high.index_select(0, index)
        return scale(pixels, low, high, transform=self._transform)

    def gather_masks(self, index: Tensor) -> Tensor | None:
        """Take the masks of cells at positions `index` (B,): (B, M, size, size) uint8, or None."""
        if not self._masked:
            return None
        if self._masks is not None:
            return self._masks.index_select(0, index)
        read = self.read_masks(index.cpu())
        return None if read is None else read.to(self.device)

    def to(self, device: torch.device | str) -> Self:
        """Move the source to a device; returns itself."""
        self.samples, self._low = self.samples.to(device), self._low.to(device)
        self._high = self._high.to(device)
        if self._pixels is not None:
            self._pixels = self._pixels.to(device)
        if self._masks is not None:
            self._masks = self._masks.to(device)
        return self

    def _load(self, memory_limit: int) -> Tensor | None:
        """Read all pixels when they fit, some at a time, so that nothing is held twice."""
        shape = (len(self), len(self.channels), self.size, self.size)
        masks = len(self._crops.mask_names) if self._masked else 0
        needed = len(self) * self.size**2 * (shape[1] * self._crops.dtype.itemsize + masks)
        if needed > memory_limit:
            _LOG.info(
                "%d crops take %.1f GB, more than the limit of %.1f GB: each batch is read from %s",
                len(self),
                needed / 1e9,
                memory_limit / 1e9,
                self._crops.path,
            )
            return None
        if self._masked:
            self._masks = torch.from_numpy(self._crops.masks(self._rows))
        pixels = np.empty(shape, self._signed)
        for part in batches(len(self)):
            pixels[part] = self._take(self._rows[part])
        return torch.from_numpy(pixels)

    def _pinned(self, read: np.ndarray) -> Tensor:
        """Put what was read where a GPU copies from without waiting."""
        tensor = torch.from_numpy(read)
        return tensor.pin_memory() if self.device.type == "cuda" else tensor

    def _take(self, rows: np.ndarray) -> np.ndarray:
        """Pixels of some rows of the file, in this source's channels and its signed type."""
        pixels = self._crops.read(rows)
        if self.channels != self._crops.channels:
            pixels = np.ascontiguousarray(pixels[:, self._columns])
        return pixels.view(self._signed)


def _stable_ids(names: pd.Index) -> np.ndarray:
    """Hash names to (N,) int64 ≥ 0: a cell keeps its id in any subset, order or later file."""
    digests = b"".join(
        hashlib.blake2b(str(name).encode(), digest_size=8).digest() for name in names
    )
    return (np.frombuffer(digests, "<u8") >> np.uint64(1)).astype(np.int64)
