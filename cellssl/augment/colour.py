"""Colour as torchvision understands it, and what it means on other than three channels."""

import torch
from torch import Tensor

__all__ = ["blend", "grey", "turn_hue"]

_RED, _GREEN, _BLUE = 0.2989, 0.587, 0.114  # ITU-R 601-2 luma, the numbers of torchvision


def grey(images: Tensor) -> Tensor:
    """Give one grey channel (N, 1, H, W).

    For three channels torchvision's luma, for any other number their plain mean.
    """
    if images.shape[1] != 3:
        return images.mean(dim=1, keepdim=True)
    red, green, blue = images.unbind(dim=1)
    return (red * _RED).add_(green, alpha=_GREEN).add_(blue, alpha=_BLUE)[:, None]


def turn_hue(images: Tensor, turn: Tensor) -> Tensor:
    """Turn the hue of RGB images (N, 3, H, W) in [0, 1] by `turn` (N, 1), in full circles.

    Equal to torchvision's ``adjust_hue``, but in closed form, without branches. With the hue h in
    sixths of a circle, |h| = 1 + (green + blue − red − smallest) / chroma and h has the sign of
    green − blue; turned back into colour, red is smallest + chroma·clip(|h − 3| − 1, 0, 1), green
    and blue the same with 2 − |h − 2| and 2 − |h − 4|. Turn 0 gives the images back to float
    precision.
    """
    red, green, blue = images.unbind(dim=1)
    smallest = torch.minimum(torch.minimum(red, green), blue)
    chroma = torch.maximum(torch.maximum(red, green), blue).sub_(smallest)
    hue = (green + blue).sub_(red).sub_(smallest).div_(chroma.clamp(min=1e-12)).add_(1.0)
    hue = hue.copysign_(green - blue).add_(6.0 * turn[:, :, None])
    hue = hue.sub_(torch.floor(hue * (1 / 6)), alpha=6.0)  # into [0, 6]
    below, above = smallest - chroma, torch.add(smallest, chroma, alpha=2.0)
    turned = []  # not written into one tensor's channels: `out=` there is no part of a graph
    for start, centre, sign in ((below, 3, 1), (above, 2, -1), (above, 4, -1)):
        ramp = (hue - centre).abs_().clamp_(1.0, 2.0)
        turned.append(torch.addcmul(start, chroma, ramp, value=sign))
    return torch.stack(turned, dim=1)


def blend(images: Tensor, other: Tensor, share: Tensor) -> Tensor:
    """Mix `images` at `share` with `other` at 1 − share, clipped to [0, 1], as torchvision blends.

    Shares may exceed 1; a share of exactly 1 keeps every bit.
    """
    return torch.lerp(other, images, share).clamp_(0.0, 1.0)
