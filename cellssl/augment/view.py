"""One view: from stored crops to the pictures that the encoder sees."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from cellssl.augment import counters
from cellssl.augment.draws import Draws, draw_ahead
from cellssl.augment.light import Transform
from cellssl.augment.operation import Geometry, Masking, Operation, Params, Pixel, stream_of
from cellssl.augment.resampling import Border, Interpolation, centre_crop, make_grid, resample
from cellssl.augment.values import Change, Values

# Values that a CPU works on at a time, at most: a pass over them stays in its cache, and
# their memory is used again rather than asked of the system anew. Draws belong to the sample, so
# the split changes nothing but the time.
_CPU_BLOCK = 3 << 18
_LOOKED_AT = 500  # views, which tell a share of their pixels well enough


class _Step(NamedTuple):
    """An operation at its place in the view."""

    operation: Operation
    stream: int
    channels: tuple[int, ...] | None  # positions of the chosen channels; None for all
    layer: int  # which mask a Masking operation looks at


@dataclass(eq=False, repr=False)
class View:
    """Operations that make one view of a batch: masks first, all geometry at once, then values.

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
    masks
        Names of the stored masks in order; needed only where an operation hides parts.
    border
        What lies beyond the view: ``neighbours`` (real pixels of the larger stored crop, mirrored
        where even those end), ``mirror`` or ``zeros``.
    interpolation
        ``bilinear`` or ``bicubic``.
    transform
        The curve that the intensity scaling ended with; operations on light undo it.

    Raises
    ------
    ValueError
        When an operation names a channel or needs a mask that the data lack.

    Examples
    --------
    >>> from cellssl.augment import operation_named
    >>> view = View([operation_named("rotate")(degrees=180.0)], 8)
    >>> view(torch.rand(2, 3, 12, 12), counters.make_keys(0, 0, torch.arange(2))).shape
    torch.Size([2, 3, 8, 8])
    """

    operations: Sequence[Operation]
    size: int
    _: KW_ONLY
    channels: Sequence[str] | None = None
    masks: Sequence[str] = ()
    border: Border = "neighbours"
    interpolation: Interpolation = "bilinear"
    transform: Transform = "linear"

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ValueError(f"size: got {self.size}, wanted at least 1 pixel")
        self.operations, self.masks = tuple(self.operations), tuple(self.masks)
        self.channels = None if self.channels is None else tuple(self.channels)
        self._steps = self._bind()
        self._values = Values(self.transform)

    def _bind(self) -> tuple[_Step, ...]:
        """Give each operation its stream, the positions of its channels and its mask."""
        seen: Counter[str] = Counter()
        steps = []
        for operation in self.operations:
            stream = stream_of(operation.name, seen[operation.name])
            seen[operation.name] += 1
            channels, layer = None, 0
            if isinstance(operation, Pixel):
                channels = operation.positions(self.channels)
            elif isinstance(operation, Masking):
                layer = operation.layer(self.masks)
            elif not isinstance(operation, Geometry):
                raise TypeError(f"{operation!r} is no Geometry, Pixel or Masking operation")
            if not operation.idle:
                steps.append(_Step(operation, stream, channels, layer))
        # What warps acts after the other geometry: a zoom after it would shrink its lattice but not
        # its shifts, and the picture would fold.
        steps.sort(key=lambda step: isinstance(step.operation, Geometry) and step.operation.warps)
        kinds = (Masking, Geometry, Pixel)
        return tuple(step for kind in kinds for step in steps if isinstance(step.operation, kind))

    def made_of(self, operations: Sequence[Operation]) -> "View":
        """Give a view like this one of other operations."""
        return replace(self, operations=operations)

    @property
    def needs_masks(self) -> bool:
        """Whether the view must be given the crops' masks."""
        return any(isinstance(step.operation, Masking) for step in self._steps)

    @torch.no_grad()
    def __call__(
        self,
        images: Tensor,
        keys: Tensor,
        *,
        masks: Tensor | None = None,
        strength: float | None = None,
    ) -> Tensor:
        """Make the view.

        Parameters
        ----------
        images
            (N, C, S, S) floats in [0, 1].
        keys
            (N,) of `make_keys`.
        masks
            (N, M, S, S) uint8 (0 background, 1 this cell, 2 others), where `needs_masks`.
        strength
            See `Draws`: None for random draws.

        Returns
        -------
        Tensor
            (N, C, size, size) in [0, 1], of the images' type.
        """
        self._check(images, keys, masks)
        half = images.dtype in (torch.float16, torch.bfloat16)
        exact = torch.float32 if half else images.dtype
        # Half precision would quantise pixels and angles; the network alone runs under autocast.
        with torch.autocast(images.device.type, enabled=False):
            drawn = self._draw(keys, images.shape[1], exact, strength)
            block = self._block(images)
            if len(images) <= block:
                made = self._make(images.to(exact), masks, drawn)
                return made.clamp(0.0, 1.0).to(images.dtype)
            shape = (len(images), images.shape[1], self.size, self.size)
            made = images.new_empty(shape, dtype=exact)
            for start in range(0, len(images), block):
                part = slice(start, start + block)
                hidden = None if masks is None else masks[part]
                cut = [{key: value[part] for key, value in params.items()} for params in drawn]
                # Copied in order, pixels are in the cache when resampling reads them out of order.
                near = images[part].to(exact, copy=True)
                torch.clamp(self._make(near, hidden, cut), 0.0, 1.0, out=made[part])
            return made.to(images.dtype)

    def _block(self, images: Tensor) -> int:
        """Say how many images are made at a time: all, but on a CPU few enough for its cache."""
        if images.device.type != "cpu":
            return len(images)
        values = len(images) * images.shape[1] * self.size**2
        return max(1, math.ceil(len(images) / max(1, math.ceil(values / _CPU_BLOCK))))

    def _draw(
        self, keys: Tensor, channels: int, dtype: torch.dtype, strength: float | None = None
    ) -> list[Params]:
        """Draw every step's parameters for the whole batch."""
        drawn = []
        ahead = draw_ahead(keys, [(step.stream, step.operation.ahead) for step in self._steps])
        for step, numbers in zip(self._steps, ahead, strict=True):
            seen = channels if step.channels is None else len(step.channels)
            draws = Draws(keys, step.stream, seen, self.size, strength, numbers)
            params = step.operation.parameters(draws)
            floats = {
                key: value.to(dtype) for key, value in params.items() if value.is_floating_point()
            }
            drawn.append({**params, **floats})
        return drawn

    def _make(self, images: Tensor, masks: Tensor | None, drawn: list[Params]) -> Tensor:
        """Hide, move, change values."""
        moves: list[tuple[Geometry, Params]] = []
        changes: list[Change] = []
        for step, params in zip(self._steps, drawn, strict=True):
            if isinstance(step.operation, Geometry):
                moves.append((step.operation, params))
            elif isinstance(step.operation, Pixel):
                changes.append((step.operation, params, step.channels))
            elif isinstance(step.operation, Masking) and masks is not None:
                images = step.operation.apply(images, masks[:, step.layer], params)
        return self._values.change(self._move(images, moves), changes)

    def _move(self, images: Tensor, moves: list[tuple[Geometry, Params]]) -> Tensor:
        """Resample once, through all; whole-pixel moves alone, or nothing, stay exact."""
        if all(operation.exact for operation, _ in moves):
            images = centre_crop(images, self.size)
            for operation, params in moves:
                images = operation.move(images, params)
            return images
        matrix, offsets = self._compose(moves)
        whole = min(images.shape[-2:]) if self.border == "neighbours" else self.size
        return resample(
            images,
            matrix.to(images.dtype),
            self.size,
            offsets=offsets,
            border=self.border,
            interpolation=self.interpolation,
            inside=self.border != "zeros" and self.stored_size() <= whole,
        )

    def _compose(self, moves: Sequence[tuple[Geometry, Params]]) -> tuple[Tensor, Tensor | None]:
        """Multiply the matrices; carry displacements through them.

        Both lead from the result back to the source, hence first @ second @ …: a pixel is looked up
        through the last operation first.
        """
        some = next(iter(moves[0][1].values()))
        total = torch.eye(3, device=some.device, dtype=some.dtype).expand(len(some), 3, 3)
        offsets: Tensor | None = None
        for operation, params in moves:
            if operation.warps:
                moved = operation.displacement(params, self.size)
                moved = torch.einsum("nij,njyx->niyx", total[:, :2, :2], moved)
                offsets = moved if offsets is None else offsets + moved
            else:
                total = total @ operation.matrix(params)
        return total, offsets

    def matrix(self, keys: Tensor) -> Tensor:
        """Give the (N, 3, 3) from pixels of the view back to the stored crop, centred."""
        return self._geometry(keys)[0]

    def _geometry(self, keys: Tensor) -> tuple[Tensor, Tensor | None]:
        """Draw and compose the geometry alone."""
        drawn = zip(self._steps, self._draw(keys, 1, torch.float32), strict=True)
        moves = [(s.operation, params) for s, params in drawn if isinstance(s.operation, Geometry)]
        if not moves:
            return torch.eye(3, device=keys.device).expand(len(keys), 3, 3), None
        return self._compose(moves)

    def stored_size(self) -> int:
        """Give the crop size in pixels from which on nothing is read beyond the border."""
        half = self.size / 2
        for step in reversed(self._steps):
            if isinstance(step.operation, Geometry):
                half = step.operation.reach(half)
        return max(self.size, math.ceil(round(2 * half, 6)))

    def mirrored(self, stored: int) -> float:
        """Estimate the share of a view's pixels that lie outside crops of `stored` pixels."""
        matrix, offsets = self._geometry(counters.make_keys(0, 0, torch.arange(_LOOKED_AT)))
        read = make_grid(matrix, self.size, offsets)
        return float((read.abs() > stored / 2).any(dim=-1).double().mean())

    def _check(self, images: Tensor, keys: Tensor, masks: Tensor | None) -> None:
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
        if not self.needs_masks:
            return
        wanted = (len(images), len(self.masks), *images.shape[-2:])
        if masks is None or masks.shape != wanted:
            got = "none" if masks is None else str(tuple(masks.shape))
            raise ValueError(f"masks: got {got}, wanted {wanted} for {', '.join(self.masks)}")

    def __repr__(self) -> str:
        names = ", ".join(operation.name for operation in self.operations)
        return f"View([{names}], size={self.size})"
