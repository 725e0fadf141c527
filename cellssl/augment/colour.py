"""Colour as torchvision understands it, and what it means on other than three channels."""

import torch
from torch import Tensor

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
    smallest = torch.minimum(red, green)
    smallest = torch.minimum(smallest, blue, out=smallest)
    chroma = torch.maximum(red, green)
    chroma = torch.maximum(chroma, blue, out=chroma).sub_(smallest).clamp_(min=1e-12)
    hue = torch.add(green, blue).sub_(red).sub_(smallest).div_(chroma).add_(1.0)
    hue = hue.copysign_(green - blue).mul_(1 / 6).add_(turn[:, :, None] + 1.0).frac_()  # circles
    # Red rises away from half a circle, green and blue fall away from a third and two thirds.
    channel = torch.arange(3, device=images.device)[:, None, None]
    centre = torch.where(channel == 0, 1 / 2, channel / 3)
    rising = torch.where(channel == 0, 6.0, -6.0).to(images.dtype)
    ramp = (hue[:, None] - centre.to(images.dtype)).abs_().mul_(rising)
    ramp = ramp.add_(0.5 - rising / 4).clamp_(0.0, 1.0)  # −1 where it rises, 2 where it falls
    return ramp.mul_(chroma[:, None]).add_(smallest[:, None])


def blend(images: Tensor, other: Tensor, share: Tensor) -> Tensor:
    """Mix `images` at `share` with `other` at 1 − share, clipped to [0, 1], as torchvision blends.

    Shares may exceed 1; a share of exactly 1 keeps every bit.
    """
    if other.shape[-2:] == (1, 1):  # of lerp's three, two numbers a picture: not vectorised
        return (images * share).add_(other * (1.0 - share)).clamp_(0.0, 1.0)
    return torch.lerp(other, images, share).clamp_(0.0, 1.0)
