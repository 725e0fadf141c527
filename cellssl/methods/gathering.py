"""The whole batch, when several devices hold a part of it each."""

from typing import Any

import torch
from torch import Tensor, distributed


class _Gather(torch.autograd.Function):
    """Concatenate all ranks' rows; the gradient of a row is the sum of what all ranks give it."""

    @staticmethod
    def forward(ctx: Any, own: Tensor) -> Tensor:  # noqa: ARG004
        parts = [torch.empty_like(own) for _ in range(distributed.get_world_size())]
        distributed.all_gather(parts, own.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:  # noqa: ARG004
        total = grads[0].clone(memory_format=torch.contiguous_format)
        distributed.all_reduce(total)
        return total.chunk(distributed.get_world_size())[distributed.get_rank()]


def gathered(own: Tensor) -> Tensor:
    """Give the rows of all devices in the order of their ranks; on one device, the rows themselves.

    A loss of the gathered rows is the loss of the global batch, the same on every rank. Its
    gradients are summed over ranks here and averaged over ranks by DDP afterwards: what comes out
    is exactly the gradient on one device. (Averaging a matrix of products over ranks instead would
    leave it too small by the number of ranks.)

    Parameters
    ----------
    own : Tensor
        (B, D), of one shape on all ranks.

    Returns
    -------
    Tensor
        (ranks × B, D)
    """
    if not (distributed.is_available() and distributed.is_initialized()):
        return own
    return _Gather.apply(own) if distributed.get_world_size() > 1 else own
