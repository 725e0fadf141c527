"""Optimisers whose learning rate lives on the device."""

from typing import Any

import torch
from torch import nn

from cellssl.training.lars import LARS
from cellssl.training.settings import TrainingSettings

_MOMENTUM = 0.9


def make_optimizer(module: nn.Module, settings: TrainingSettings) -> torch.optim.Optimizer:
    """Make the optimiser of a run for parameters that are on their device already.

    Biases and the scales of norms (everything of one dimension) are not decayed, nor adapted by
    LARS. The fused versions update all weights in one pass, and read the learning rate from the
    device; everything that a step changes lies there too, so that a step can be captured.
    """
    trained = [p for p in module.parameters() if p.requires_grad]
    groups: list[dict[str, Any]] = [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": settings.weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]
    rate = torch.zeros((), device=trained[0].device)
    if settings.optimizer == "lars":
        groups[1]["adapt"] = False
    groups = [group for group in groups if group["params"]]
    if settings.optimizer == "lars":
        return LARS(groups, rate, momentum=_MOMENTUM)
    if settings.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=rate, momentum=_MOMENTUM, fused=True)
    return torch.optim.AdamW(groups, lr=rate, fused=True, capturable=rate.is_cuda)


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Write the learning rate in place, so that a captured step reads the new value."""
    for group in optimizer.param_groups:
        group["lr"].fill_(rate)


def load_optimizer(optimizer: torch.optim.Optimizer, state: dict) -> None:
    """Restore an optimiser; the learning rate stays the device's own tensor."""
    rates = [group["lr"] for group in optimizer.param_groups]
    optimizer.load_state_dict(state)
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group["lr"] = rate
