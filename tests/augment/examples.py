"""Small images, and every operation at an amplitude that shows."""

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from cellssl.augment import Draws, Masking, Operation, Pixel, View, make_keys, operation_named
from cellssl.augment.operation import stream_of

CHANNELS = ("DAPI", "Tubulin", "Actin", "ER")
MASKS = ("nucleus", "cell")

STRONG: dict[str, dict[str, object]] = {
    "airy_blur": {"radius": [2, 5]},
    "bit_depth": {"bits": [1, 3]},
    "bleaching": {"lost": [0.1, 0.6]},
    "bleed_through": {"amount": [0.1, 0.5]},
    "blur": {},
    "channel_dropout": {},
    "channel_shuffle": {},
    "color_jitter": {"brightness": 0.8, "contrast": 0.8, "saturation": 0.8, "hue": 0.2},
    "contrast": {"amplitude": 0.5},
    "defocus": {"sigma": [0.5, 2]},
    "elastic": {"pixels": 3, "spacing": 8},
    "erase": {"area": [0.05, 0.3], "value": 0.5},
    "flip": {},
    "gamma": {"amplitude": 0.5},
    "grayscale": {},
    "haze": {"amount": [0.1, 0.5], "sigma": 3},
    "hot_pixels": {"share": [0.02, 0.1]},
    "illumination": {"slope": 0.5, "falloff": 0.5},
    "mask_background": {},
    "mask_neighbours": {"grow": 1},
    "misregistration": {"pixels": 2},
    "motion_blur": {"length": [2, 6]},
    "quarter_turn": {},
    "read_noise": {"sigma": [0.01, 0.1]},
    "resized_crop": {},
    "resolution_loss": {"factor": [1.5, 4]},
    "rotate": {"degrees": 180},
    "saturation": {"level": [0.3, 0.9]},
    "shear": {"degrees": 30},
    "shift": {"pixels": 4},
    "shot_noise": {"photons": [20, 200]},
    "solarize": {},
    "stain_gain": {"amplitude": 0.5},
    "stain_offset": {"amplitude": 0.2},
    "stretch": {"amplitude": 0.3},
    "zoom": {"area": [0.5, 1.5]},
}


def make(name: str, **values: object) -> Operation:
    return operation_named(name)(**values)  # type: ignore[arg-type]


def everything(**common: object) -> list[Operation]:
    return [make(name, **{**values, **common}) for name, values in STRONG.items()]


def pictures(count: int = 4, channels: int = 3, size: int = 24) -> Tensor:
    return torch.rand(count, channels, size, size, generator=torch.Generator().manual_seed(0))


def smooth(size: int, *, sigma: float = 2.0) -> Tensor:
    """One channel of smooth noise (1, 1, size, size), for what interpolates."""
    noise = np.random.default_rng(0).random((1, 1, size, size))
    blurred = ndimage.gaussian_filter(noise, (0, 0, sigma, sigma))
    return torch.tensor(blurred / blurred.max(), dtype=torch.float32)


def outlines(count: int = 4, size: int = 24) -> Tensor:
    """Two masks each (N, 2, size, size): the cell in the middle, a neighbour in a corner."""
    masks = torch.zeros(count, 2, size, size, dtype=torch.uint8)
    for layer, margin in enumerate((size // 3, size // 4)):
        masks[:, layer, margin : size - margin, margin : size - margin] = 1
        masks[:, layer, : margin - 1, : margin - 1] = 2
    return masks


def keys(count: int = 4, *, epoch: int = 0) -> Tensor:
    return make_keys(0, epoch, torch.arange(count))


def see(operation: Operation, images: Tensor, **options: object) -> Tensor:
    """Make a view of this operation alone, as large as the images."""
    return see_all([operation], images, **options)


def see_all(operations: list[Operation], images: Tensor, **options: object) -> Tensor:
    """Make a view as large as the images, with masks where an operation needs them."""
    count, size = len(images), images.shape[-1]
    masks = MASKS if any(isinstance(operation, Masking) for operation in operations) else ()
    view = View(operations, size, masks=masks, **options)  # type: ignore[arg-type]
    return view(images, keys(count), masks=outlines(count, size) if masks else None)


def draws(name: str, *, count: int = 20_000, channels: int = 3, size: int = 64) -> Draws:
    return Draws(keys(count), stream_of(name, 0), channels, size)


def apply(name: str, images: Tensor, params: dict[str, Tensor], **values: object) -> Tensor:
    operation = make(name, **values)
    assert isinstance(operation, Pixel)
    return operation.apply(images, params)


def column(*values: float) -> Tensor:
    return torch.tensor(values)[:, None]
