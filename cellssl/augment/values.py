"""Value operations, one after another: in light where they ask for it, each on its own channels."""

from collections.abc import Sequence
from typing import TypeAlias

import torch
from torch import Tensor

from cellssl.augment.counters import noise_bank, noise_field
from cellssl.augment.light import Transform, from_light, to_light
from cellssl.augment.operation import Params, Pixel

Change: TypeAlias = tuple[Pixel, Params, tuple[int, ...] | None]
"""An operation, what was drawn for it, the positions of its channels (None for all)."""


class Values:
    """What changes values in a view.

    Parameters
    ----------
    transform
        The curve that the intensity scaling ended with.
    """

    def __init__(self, transform: Transform) -> None:
        self.transform = transform
        self._bank: Tensor | None = None

    def change(self, images: Tensor, changes: Sequence[Change]) -> Tensor:
        """Change (N, C, H, W), in light where an operation asks for it; nothing is clipped."""
        light = False
        for operation, params, channels in changes:
            if operation.in_light != light:
                convert = to_light if operation.in_light else from_light
                images, light = convert(images, self.transform), operation.in_light
            fields = self._noise(operation, params, images) if operation.noise_fields else {}
            images = _apply(operation, images, {**params, **fields}, channels)
        return from_light(images, self.transform) if light else images

    def _noise(self, operation: Pixel, params: Params, images: Tensor) -> Params:
        """Cut the noise that an operation asked for out of the bank."""
        height, width = images.shape[-2:]
        if self._bank is None or self._bank.device != images.device:
            self._bank = noise_bank(max(1 << 20, 4 * height * width)).to(images.device)
        return {
            key: noise_field(self._bank, params[key], height, width).to(images.dtype)
            for key in operation.noise_fields
        }


def _apply(
    operation: Pixel, images: Tensor, params: Params, positions: tuple[int, ...] | None
) -> Tensor:
    """Apply to all channels, or to those at `positions` alone."""
    if positions is None:
        return operation.apply(images, params)
    chosen = torch.stack([images[:, place] for place in positions], dim=1)
    changed = operation.apply(chosen, params)
    planes = {place: changed[:, i] for i, place in enumerate(positions)}
    return torch.stack(
        [planes.get(place, images[:, place]) for place in range(images.shape[1])], dim=1
    )
