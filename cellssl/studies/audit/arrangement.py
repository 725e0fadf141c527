"""How a cell lies, which way it is handed, and where its parts are: what its measures do not see."""

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from cellssl.studies.audit.measures import blurred, light_of, moment

_WINDOW = 0.2  # of the view's side: the cell in the middle counts, its neighbours hardly
_STEPS = 3  # towards the cell's middle
_RINGS = (0.2, 0.4, 0.6, 0.8)  # of half the view
_SPOT = 1.0  # px: the blur of a spot that is counted
_RISES = 0.15  # of a channel's light, for a spot to be one
_TINY = 1e-6

# Measure → the property it is a measure of, as verdicts call it.
_OWN = {
    "right": "place",
    "down": "place",
    "along": "direction",
    "aslant": "direction",
    "length": "elongation",
    "fibres_along": "direction of edges or fibres",  # the rim of a long nucleus has one too
    "fibres_aslant": "direction of edges or fibres",
    "aligned": "elongation or alignment of fibres",
    "ring_1": "distance from the centre",
    "ring_2": "distance from the centre",
    "ring_3": "distance from the centre",
    "spots": "number of spots",
    "hand": "handedness",
}
_BETWEEN = {
    "apart": "distance between centres",
    "side": "handedness",
    "first_turned": "handedness",
    "second_turned": "handedness",
    "first_leaning": "handedness",
    "second_leaning": "handedness",
}
ARRANGED = {**_OWN, **_BETWEEN}
# Of all properties, those that change as a cell is turned, mirrored or shifted; no other does but by resampling
# and by what comes into the view at its border.
LAID = ("place", "direction", "direction of edges or fibres", "handedness")


def arrangement_names(channels: Sequence[str]) -> list[str]:
    """Name the features in their order, e.g. "DAPI_along", "DAPI+Actin_side".

    Examples
    --------
    >>> len(arrangement_names(["DAPI", "Tubulin", "Actin"]))
    57
    """
    own = [f"{channel}_{feature}" for channel in channels for feature in _OWN]
    pairs = itertools.combinations(channels, 2)
    return [*own, *(f"{a}+{b}_{feature}" for a, b in pairs for feature in _BETWEEN)]


class CellArrangement(nn.Module):
    """Direction, place, handedness and spots of the cell in the middle: (B, C, H, W) to (B, D).

    Neither gain nor offset changes them. Turning a cell changes its direction and place, mirroring
    it its handedness too: imaginary parts of products of complex moments that no turn changes
    (Flusser, Pattern Recognition 33, 2000).
    """

    def forward(self, images: Tensor) -> Tensor:
        """Arrange images (B, C, H, W) in [0, 1]: (B, 13 C + 6 C (C − 1) / 2)."""
        light = light_of(images)
        half = torch.linspace(-1, 1, images.shape[-1], device=images.device)
        z = torch.complex(*torch.meshgrid(half, half, indexing="xy"))  # right, and down
        weight = _windowed(light, z, _cell(light, z))
        centre = moment(weight, z)
        about = z - centre[..., None, None]
        round_ = moment(weight, about * about.conj()).real.clamp_min(_TINY)
        long = moment(weight, about**2) / round_  # |long|: elongation; half its phase: direction
        skew = moment(weight, about * (about * about.conj())) / round_**1.5
        fibres = _fibres(images)
        own = [
            *(centre.real, centre.imag, long.real, long.imag, long.abs()),
            *(fibres.real, fibres.imag, fibres.abs(), *_rings(light, z.abs())),
            *(_spots(light), _hand(long.conj() * skew**2)),
        ]
        a, b = torch.triu_indices(images.shape[1], images.shape[1], 1)
        way = centre[:, b] - centre[:, a]
        between = [
            way.abs(),
            _hand(centre[:, a].conj() * centre[:, b]),  # as seen from the view's middle
            *(_hand(long[:, one].conj() * way**2) for one in (a, b)),  # wherever the cell lies
            *(_hand(skew[:, one].conj() * way) for one in (a, b)),
        ]
        return torch.cat([torch.stack(each, dim=2).flatten(1) for each in (own, between)], dim=1)


def _cell(light: Tensor, z: Tensor) -> Tensor:
    """Find the cell in the middle by the light of all channels: (B, 1) complex.

    As a cell is shifted, the window goes with it: else it would hold another part of the cell.
    """
    every = light.sum(dim=1, keepdim=True)
    centre = torch.zeros(len(light), 1, dtype=z.dtype, device=z.device)
    for _ in range(_STEPS):
        centre = moment(_windowed(every, z, centre), z)
    return centre


def _windowed(light: Tensor, z: Tensor, centre: Tensor) -> Tensor:
    """Weight light (B, C, H, W) by a window about a centre (B, 1), to a sum of 1 in each channel."""
    apart = (z - centre[..., None, None]).abs()
    weight = light * torch.exp(-(apart**2) / (2 * (2 * _WINDOW) ** 2))
    return weight / weight.sum(dim=(2, 3), keepdim=True).clamp_min(_TINY)


def _hand(product: Tensor) -> Tensor:
    """Give the root of an imaginary part with its sign: mirrored, it is of the other sign."""
    return product.imag.sign() * product.imag.abs().sqrt()


def _fibres(images: Tensor) -> Tensor:
    """Give the structure tensor's direction, twice its angle, and coherence: (B, C) complex."""
    smooth = blurred(images, 1.0)
    down, right = torch.gradient(smooth, dim=(2, 3))
    slope = torch.complex(right, down)
    strength = (slope.abs() ** 2).sum(dim=(2, 3)).clamp_min(_TINY)
    return (slope**2).sum(dim=(2, 3)) / strength


def _rings(light: Tensor, radius: Tensor) -> list[Tensor]:
    """Give the share of light in each of three rings, of that within the outermost: (B, C) each."""
    sums = [(light * (radius < edge)).sum(dim=(2, 3)) for edge in _RINGS]
    return [(b - a) / sums[-1].clamp_min(_TINY) for a, b in itertools.pairwise(sums)]


def _spots(light: Tensor) -> Tensor:
    """Count peaks that stand out of their surroundings: (B, C), the root of the number."""
    band = blurred(light, _SPOT) - blurred(light, 3 * _SPOT)
    peak = (band == _largest_around(band)) & (band > _RISES)
    return peak.sum(dim=(2, 3)).to(light.dtype).sqrt()


def _largest_around(values: Tensor) -> Tensor:
    """Give the largest of 3 × 3 pixels (B, C, H, W): on a CPU in an eighth of max_pool2d's time."""
    for axis in (2, 3):
        length = values.shape[axis]
        first, last = values.narrow(axis, 0, 1), values.narrow(axis, length - 1, 1)
        padded = torch.cat([first, values, last], dim=axis)
        sides = [padded.narrow(axis, start, length) for start in (0, 2)]
        values = torch.maximum(torch.maximum(values, sides[0]), sides[1])
    return values
