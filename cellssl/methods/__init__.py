"""Self-supervised methods: heads, losses as pure functions, what follows a step."""

from cellssl.methods.barlow_twins import BarlowTwins, barlow_twins_loss
from cellssl.methods.byol import BYOL, byol_loss
from cellssl.methods.gathering import gathered
from cellssl.methods.grouped import GroupedMethod
from cellssl.methods.method import Method
from cellssl.methods.moco import MoCo, info_nce_loss
from cellssl.methods.registry import build, names, option_names
from cellssl.methods.simclr import SimCLR, nt_xent_loss
from cellssl.methods.vicreg import VICReg, vicreg_loss

__all__ = [
    "BYOL",
    "BarlowTwins",
    "GroupedMethod",
    "Method",
    "MoCo",
    "SimCLR",
    "VICReg",
    "barlow_twins_loss",
    "build",
    "byol_loss",
    "gathered",
    "info_nce_loss",
    "names",
    "nt_xent_loss",
    "option_names",
    "vicreg_loss",
]
