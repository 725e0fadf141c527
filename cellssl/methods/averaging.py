"""Networks that follow another one: the moving averages of MoCo and BYOL."""

import copy

import torch
from torch import Tensor, nn


def momentum_at(step: Tensor | int, total: int, *, start: float, end: float) -> Tensor:
    """Momentum after a global step: a cosine from `start` at step 0 to `end` at step `total`.

    Grill et al., *Bootstrap Your Own Latent* (2020, arXiv 2006.07733), section 3.2, which
    solo-learn's MoCo v2+ takes over.

    Returns
    -------
    Tensor
        0-d float32, on the device of `step`.

    Examples
    --------
    >>> [round(momentum_at(s, 10, start=0.99, end=0.999).item(), 4) for s in (0, 5, 10)]
    [0.99, 0.9945, 0.999]
    """
    progress = torch.as_tensor(step).float() / total
    return end - (end - start) * (torch.cos(torch.pi * progress) + 1) / 2


def frozen(module: nn.Module) -> nn.Module:
    """Copy a module without gradients. Its batch norms keep their own running statistics."""
    return copy.deepcopy(module).requires_grad_(False)


@torch.no_grad()
def follow(average: nn.Module, moving: nn.Module, momentum: Tensor) -> None:
    """Move a `frozen` copy's weights towards the module's: average = m average + (1 − m) moving."""
    pairs = zip(average.parameters(), moving.parameters(), strict=True)
    for old, new in pairs:
        old.lerp_(new, (1 - momentum).to(old))
