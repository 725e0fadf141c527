"""Self-supervised methods: heads, losses as pure functions, what follows a step."""

from cellssl.methods.method import Method
from cellssl.methods.moco import MoCo, info_nce_loss
from cellssl.methods.registry import build, names, option_names
from cellssl.methods.simclr import SimCLR, nt_xent_loss

__all__ = [
    "Method",
    "MoCo",
    "SimCLR",
    "build",
    "info_nce_loss",
    "names",
    "nt_xent_loss",
    "option_names",
]
