"""What a microscopist would measure on a cell: the reference in which an audit can say why."""

import itertools
from collections.abc import Sequence
from functools import cache

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d
from torch import Tensor, nn

from cellssl.embedding import IntensityStatistics, intensity_names, ranked

_SCALES = (0.7, 1.4, 2.8, 5.6)  # px: between every two lies one band of texture
_BANDS = ("fine", "medium", "coarse")
_FORM = ("area", "spread", "elongation", *(f"{band}_texture" for band in _BANDS))
_TINY = 1e-4

# Measure → the property it is a measure of, as verdicts call it.
MEASURED = {
    "mean": "total intensity",
    "sd": "contrast",
    "p1": "background",
    "p10": "background",
    "p25": "background",
    "p75": "brightness",
    "p90": "brightness",
    "p99": "peak brightness",
    "share_above_0.3": "brightness",
    "area": "size",
    "spread": "size or neighbours",  # those that turn in and out of the view change it too
    "elongation": "elongation",
    "fine_texture": "fine texture",
    "medium_texture": "medium texture",
    "coarse_texture": "size or coarse texture",  # a nucleus is about as wide as this band
    "agreement": "agreement of channels",
}


def measure_names(channels: Sequence[str]) -> list[str]:
    """Name the measures in the order of the features, e.g. "DAPI_area", "DAPI+Actin_agreement".

    Examples
    --------
    >>> len(measure_names(["DAPI", "Tubulin", "Actin"]))
    48
    """
    form = [f"{channel}_{measure}" for channel in channels for measure in _FORM]
    pairs = [f"{a}+{b}_agreement" for a, b in itertools.combinations(channels, 2)]
    return [*intensity_names(channels), *form, *pairs]


class CellMeasures(nn.Module):
    """Intensity, size, elongation, texture and agreement of channels: (B, C, H, W) to (B, D).

    The nine statistics per channel of `IntensityStatistics`; per channel six measures of form that
    a gain or an offset leaves as they are; and the correlation of every two channels. Nothing is
    trained, and turning a cell changes nothing but rounding.
    """

    def forward(self, images: Tensor) -> Tensor:
        """Measure images (B, C, H, W) in [0, 1]: (B, 15 C + C (C − 1) / 2)."""
        statistics = IntensityStatistics()(images)
        form = torch.cat([_outline(images), _texture(images)], dim=2).flatten(1)
        return torch.cat([statistics, form, _agreement(images)], dim=1)


def light_of(images: Tensor) -> Tensor:
    """Scale each channel from 0 (background) to 1 (bright): neither gain nor offset is left in it."""
    values = ranked(images.flatten(2))
    last = values.shape[2] - 1
    dark, bright = values[..., int(0.1 * last)], values[..., int(0.99 * last)]
    span = (bright - dark).clamp_min(_TINY)
    return ((images - dark[..., None, None]) / span[..., None, None]).clamp(0.0, 1.0)


def moment(weight: Tensor, values: Tensor) -> Tensor:
    """Average real or complex values (…, H, W) over weights (B, C, H, W): (B, C)."""
    return (weight * values).sum(dim=(2, 3))


def _outline(images: Tensor) -> Tensor:
    """Measure the bright part of each channel: (B, C, 3), square root of area, radius, elongation."""
    light = light_of(images)
    area = (light > 0.5).to(images.dtype).mean(dim=(2, 3)).sqrt()
    height, width = images.shape[-2:]
    y = torch.linspace(-1, 1, height, device=images.device)[:, None]
    x = torch.linspace(-1, 1, width, device=images.device)[None, :]
    weight = light / light.sum(dim=(2, 3), keepdim=True).clamp_min(_TINY)

    my, mx, yy, xx, xy = (moment(weight, values) for values in (y, x, y * y, x * x, x * y))
    yy, xx, xy = yy - my**2, xx - mx**2, xy - mx * my
    trace = (yy + xx).clamp_min(_TINY)
    gap = ((yy - xx) ** 2 + 4 * xy**2).sqrt()  # difference of the two principal variances
    return torch.stack([area, trace.sqrt(), gap / trace], dim=2)


def _texture(images: Tensor) -> Tensor:
    """Measure the strength of three bands between Gaussians, in units of contrast: (B, C, 3), log."""
    smooth = [blurred(images, sigma) for sigma in _SCALES]
    whole = images.flatten(2).std(dim=2, correction=0).clamp_min(_TINY)
    bands = [
        (fine - coarse).flatten(2).std(dim=2, correction=0) / whole
        for fine, coarse in itertools.pairwise(smooth)
    ]
    return torch.stack(bands, dim=2).clamp_min(_TINY).log()


def blurred(images: Tensor, sigma: float) -> Tensor:
    """Blur with a Gaussian of sigma pixels, mirrored at the border, as two matrix products."""
    height, width = images.shape[-2:]
    down, along = (_blur_matrix(side, sigma).to(images) for side in (height, width))
    return down @ images @ along.T


@cache
def _blur_matrix(side: int, sigma: float) -> Tensor:
    """Give the blur of a line of pixels as a matrix (side, side)."""
    return torch.from_numpy(gaussian_filter1d(np.eye(side), sigma, axis=0, mode="mirror"))


def _agreement(images: Tensor) -> Tensor:
    """Correlate the pixels of every two channels: (B, C (C − 1) / 2)."""
    centred = images.flatten(2)
    centred = centred - centred.mean(dim=2, keepdim=True)
    unit = centred / centred.norm(dim=2, keepdim=True).clamp_min(_TINY)
    first, second = torch.triu_indices(images.shape[1], images.shape[1], 1)
    return (unit[:, first] * unit[:, second]).sum(dim=2)
