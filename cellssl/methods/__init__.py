"""Methods, self-supervised and one that is told labels: heads, losses as pure functions, what follows a step."""

from cellssl.methods.barlow_twins import BarlowTwins, barlow_twins_loss
from cellssl.methods.byol import BYOL, byol_loss
from cellssl.methods.gathering import gathered
from cellssl.methods.grouped import GroupedMethod
from cellssl.methods.method import Method
from cellssl.methods.moco import MoCo, info_nce_loss
from cellssl.methods.registry import (
    build,
    is_labelled,
    names,
    option_names,
    option_problem,
    outline,
)
from cellssl.methods.simclr import SimCLR, nt_xent_loss
from cellssl.methods.supervised import Supervised, class_loss
from cellssl.methods.vicreg import VICReg, vicreg_loss

__all__ = [
    "BYOL",
    "BarlowTwins",
    "GroupedMethod",
    "Method",
    "MoCo",
    "SimCLR",
    "Supervised",
    "VICReg",
    "barlow_twins_loss",
    "build",
    "byol_loss",
    "class_loss",
    "gathered",
    "info_nce_loss",
    "is_labelled",
    "names",
    "nt_xent_loss",
    "option_names",
    "option_problem",
    "outline",
    "vicreg_loss",
]
