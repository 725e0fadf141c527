"""Views: from stored crops to the pictures that the encoder sees, each with its own draws."""

import math
from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor

from cellssl.augment import counters
from cellssl.augment.operation import Draws, Geometry, Operation, Pixel, stream_of
from cellssl.augment.resampling import centre_crop, compose, resample

__all__ = ["View", "Views"]

# Values that a CPU works on at a time: every pass over them then stays in its cache. Draws belong
# to the sample, so the split changes nothing but the time.
_CPU_BLOCK = 1 << 20


class View:
    """Operations that make one view of a batch: all geometry in one resampling, then pixels.

    Parameters
    ----------
    operations
        In the order of the protocol. Those that can never change anything (``p: 0``, amplitude 0)
        cost nothing.
    size
        Height and width of the view in pixels; at most that of the stored crops. Larger crops bring
        real pixels in where rotation and shift look beyond the view.
    channels
        The data's channel names in order; needed only where an operation names channels.

    Raises
    ------
    ValueError
        When an operation names a channel that the data lack.

    Examples
    --------
    >>> from cellssl.augment import operation_named
    >>> view = View([operation_named("rotate")(degrees=180.0)], 8)
    >>> view(torch.rand(2, 3, 12, 12), counters.make_keys(0, 0, torch.arange(2))).shape
    torch.Size([2, 3, 8, 8])
    """

    def __init__(
        self, operations: Sequence[Operation], size: int, *, channels: Sequence[str] | None = None
    ) -> None:
        if size < 1:
            raise ValueError(f"size: got {size}, wanted at least 1 pixel")
        self.operations = tuple(operations)
        self.size = size
        self.channels = tuple(channels) if channels is not None else None
        self._geometry: list[tuple[Geometry, int]] = []
        self._pixels: list[tuple[Pixel, int, tuple[int, ...] | None]] = []
        self._bank: Tensor | None = None
        self._bind()

    def _bind(self) -> None:
        """Give each operation its stream and the positions of its channels."""
        seen: Counter[str] = Counter()
        for operation in self.operations:
            stream = stream_of(operation.name, seen[operation.name])
            seen[operation.name] += 1
            positions = operation.positions(self.channels) if isinstance(operation, Pixel) else None
            if operation.idle:
                continue
            if isinstance(operation, Pixel):
                self._pixels.append((operation, stream, positions))
            elif isinstance(operation, Geometry):
                self._geometry.append((operation, stream))
            else:
                raise TypeError(f"{operation!r} is neither a Geometry nor a Pixel operation")
        if any(operation.needs_noise for operation, *_ in self._pixels):
            self._bank = counters.noise_bank()

    @torch.no_grad()
    def __call__(self, images: Tensor, keys: Tensor) -> Tensor:
        """Make the view (N, C, size, size) of images (N, C, S, S), both in [0, 1].

        `keys` (N,) come from `make_keys`.
        """
        self._check(images, keys)
        if self._bank is not None and self._bank.device != images.device:
            self._bank = self._bank.to(images.device)
        # Half precision would quantise pixels and angles; the network alone runs under autocast.
        with torch.autocast(images.device.type, enabled=False):
            block = max(1, _CPU_BLOCK // (images.shape[1] * self.size**2))
            if images.device.type != "cpu" or len(images) <= block:
                return self._make(images, keys)
            made = torch.empty(
                len(images), images.shape[1], self.size, self.size, dtype=images.dtype
            )
            for start in range(0, len(images), block):
                part = slice(start, start + block)
                made[part] = self._make(images[part], keys[part])
            return made

    def _make(self, images: Tensor, keys: Tensor) -> Tensor:
        """Move, then change values, then clip."""
        images = self._move(images, keys)
        for operation, stream, positions in self._pixels:
            images = operation.run(images, self._draws(keys, stream, images.shape[1]), positions)
        return images.clamp(0.0, 1.0)

    def _move(self, images: Tensor, keys: Tensor) -> Tensor:
        """Resample once by the product of all matrices; flips alone, or nothing, stay exact."""
        channels = images.shape[1]
        if all(operation.exact for operation, _ in self._geometry):
            images = centre_crop(images, self.size)
            for operation, stream in self._geometry:
                params = operation.parameters(self._draws(keys, stream, channels))
                images = operation.move(images, params)
            return images
        return resample(images, self.matrix(keys, channels=channels).to(images.dtype), self.size)

    def matrix(self, keys: Tensor, *, channels: int = 1) -> Tensor:
        """Give the (N, 3, 3) from pixels of the view back to the stored crop, centred."""
        if not self._geometry:
            return torch.eye(3, device=keys.device).expand(len(keys), 3, 3)
        return compose(
            [
                operation.matrix(operation.parameters(self._draws(keys, stream, channels)))
                for operation, stream in self._geometry
            ]
        )

    def stored_size(self) -> int:
        """Give the crop size in pixels from which on nothing needs to be mirrored at the border."""
        half = self.size / 2
        for operation, _ in reversed(self._geometry):
            half = operation.reach(half)
        return max(self.size, math.ceil(round(2 * half, 6)))

    def mirrored(self, stored: int, *, samples: int = 500) -> float:
        """Estimate the share of a view's pixels that lie outside crops of `stored` pixels."""
        matrix = self.matrix(counters.make_keys(0, 0, torch.arange(samples)))
        place = torch.arange(self.size) - (self.size - 1) / 2
        grid = torch.stack(
            [
                *torch.meshgrid(place, place, indexing="xy"),
                torch.ones(1).expand(self.size, self.size),
            ]
        )
        read = matrix[:, :2] @ grid.reshape(3, -1)
        return float((read.abs() > stored / 2).any(dim=1).double().mean())

    def _draws(self, keys: Tensor, stream: int, channels: int) -> Draws:
        return Draws(keys, stream, channels, self.size, self._bank)

    def _check(self, images: Tensor, keys: Tensor) -> None:
        """Look at shapes and types only: nothing here asks the device."""
        if images.ndim != 4 or not images.is_floating_point():
            raise TypeError(
                f"images: got {images.dtype} of shape {tuple(images.shape)}, "
                "wanted floats (N, C, H, W) in [0, 1]"
            )
        if min(images.shape[-2:]) < self.size:
            raise ValueError(
                f"the view wants {self.size} × {self.size} px, the crops have {images.shape[-2]} × "
                f"{images.shape[-1]}; make crop.size of the protocol smaller, or the crops larger"
            )
        if keys.shape != images.shape[:1]:
            raise ValueError(f"keys: got shape {tuple(keys.shape)} for {len(images)} images")
        if self.channels is not None and images.shape[1] != len(self.channels):
            raise ValueError(
                f"images have {images.shape[1]} channels, "
                f"the view was made for {', '.join(self.channels)}"
            )

    def __repr__(self) -> str:
        names = ", ".join(operation.name for operation in self.operations)
        return f"View([{names}], size={self.size})"


class Views:
    """The two views of a training step; with one `View`, both are alike but drawn differently.

    Examples
    --------
    >>> views = Views(View([], 8))
    >>> first, second = views(torch.rand(2, 3, 8, 8), 0, 0, torch.arange(2))
    >>> first.shape
    torch.Size([2, 3, 8, 8])
    """

    def __init__(self, view1: View, view2: View | None = None) -> None:
        self.view1 = view1
        self.view2 = view1 if view2 is None else view2
        if self.view1.size != self.view2.size:
            raise ValueError(
                f"both views must have one size, got {self.view1.size} and {self.view2.size}"
            )

    @property
    def size(self) -> int:
        """Height and width of both views in pixels."""
        return self.view1.size

    def __call__(
        self, images: Tensor, seed: int | Tensor, epoch: int | Tensor, samples: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Make both views of images (N, C, S, S); `samples` (N,) are their stable numbers."""
        return (
            self.view1(images, counters.make_keys(seed, epoch, samples, 0)),
            self.view2(images, counters.make_keys(seed, epoch, samples, 1)),
        )

    def __repr__(self) -> str:
        return f"Views({self.view1!r}, {self.view2!r})"
