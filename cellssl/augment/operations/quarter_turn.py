"""Turns by right angles."""

import torch
from torch import Tensor

from cellssl.augment.draws import Draws
from cellssl.augment.operation import Geometry, Params
from cellssl.augment.resampling import affine


class QuarterTurn(Geometry):
    """Turn by 0, 90, 180 or 270 degrees, each as likely; alone, no pixel is interpolated.

    With `flip` these are all eight ways to lay a square picture down.
    """

    name = "quarter_turn"
    invariance = "orientation, in steps of 90 degrees"
    neutral = {"turns": 0.0}
    exact = True

    def sample(self, draws: Draws) -> Params:
        """Draw how many quarters, anticlockwise (N,): 0, 1, 2 or 3; one where draws are pinned."""
        turns = draws.whole(0, 4).to(torch.float32)
        return {"turns": turns if draws.strength is None else torch.ones_like(turns)}

    def matrix(self, params: Params) -> Tensor:
        """Read backwards along the turn, in exact zeros and ones."""
        quarter = params["turns"]
        cos = (quarter == 0).to(quarter.dtype) - (quarter == 2).to(quarter.dtype)
        sin = (quarter == 1).to(quarter.dtype) - (quarter == 3).to(quarter.dtype)
        return affine(cos, -sin, sin, cos)

    def move(self, images: Tensor, params: Params) -> Tensor:
        """Turn whole pixels: transpose, then mirror."""
        turns = params["turns"][:, None, None, None]
        images = torch.where(turns % 2 == 1, images.transpose(-1, -2), images)
        images = torch.where((turns == 1) | (turns == 2), images.flip(-2), images)
        return torch.where((turns == 2) | (turns == 3), images.flip(-1), images)
