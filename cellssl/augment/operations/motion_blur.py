"""Movement during the exposure."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from cellssl.augment.draws import Draws
from cellssl.augment.operation import Params, Pixel
from cellssl.augment.quantities import span

_STEPS = 4  # points on the path per pixel of its length


class MotionBlur(Pixel):
    """Smear evenly along a straight path of a length from U(length), in any direction."""

    length: tuple[float, float] = span("length of the path", unit="px", high=64.0)

    name = "motion_blur"
    invariance = "movement of stage or cell"
    neutral = {"length": 0.0}
    nothing = {"length": (0.0, 0.0)}
    in_light = True

    def sample(self, draws: Draws) -> Params:
        """Draw the length in pixels and the direction in radians, both (N, 1)."""
        return {
            "length": draws.amplitude(0, *self.length, count=1),
            "direction": draws.uniform(1, 0.0, math.pi, count=1),
        }

    def apply(self, images: Tensor, params: Params) -> Tensor:
        """Average along the path; the picture is mirrored at its border."""
        count, channels, height, width = images.shape
        reach = min(math.ceil(self.length[1] / 2), height - 1, width - 1)
        kernels = self._kernels(params, reach).repeat_interleave(channels, dim=0)
        padded = functional.pad(images, (reach,) * 4, mode="reflect")
        planes = padded.reshape(1, count * channels, *padded.shape[-2:])
        smeared = functional.conv2d(planes, kernels[:, None], groups=count * channels)
        return smeared.reshape(images.shape)

    def _kernels(self, params: Params, reach: int) -> Tensor:
        """Lay each path's points (N, 2·reach + 1, 2·reach + 1) onto the pixels around them."""
        points = max(_STEPS * math.ceil(self.length[1]), 1)
        like = params["length"]
        along = torch.arange(points, device=like.device, dtype=like.dtype)
        along = ((along + 0.5) / points - 0.5) * params["length"]  # middles of equal parts
        x, y = along * torch.cos(params["direction"]), along * torch.sin(params["direction"])
        place = torch.arange(-reach, reach + 1, device=like.device, dtype=like.dtype)
        near_x = (1.0 - (x[..., None] - place).abs()).clamp(min=0.0)  # (N, points, side)
        near_y = (1.0 - (y[..., None] - place).abs()).clamp(min=0.0)
        kernels = near_y.transpose(1, 2) @ near_x
        return kernels / kernels.sum(dim=(1, 2), keepdim=True)
