"""One loop for every method: fit, exact resume, checkpoints, metrics."""

from cellssl.training.checkpoint import CHECKPOINT, checkpoint_file, load_checkpoint
from cellssl.training.classifier import Labels
from cellssl.training.collapse import alignment, effective_rank, feature_std, uniformity
from cellssl.training.devices import pick_device
from cellssl.training.heads import PROJECTION, head_names, load_head
from cellssl.training.lars import LARS
from cellssl.training.loop import fit
from cellssl.training.partners import Partners
from cellssl.training.schedule import (
    Plan,
    cells_shown,
    epoch_order,
    learning_rate,
    long_enough,
    make_plan,
    steps,
)
from cellssl.training.seeds import seeded
from cellssl.training.settings import TrainingSettings

__all__ = [
    "CHECKPOINT",
    "LARS",
    "PROJECTION",
    "Labels",
    "Partners",
    "Plan",
    "TrainingSettings",
    "alignment",
    "cells_shown",
    "checkpoint_file",
    "effective_rank",
    "epoch_order",
    "feature_std",
    "fit",
    "head_names",
    "learning_rate",
    "load_checkpoint",
    "load_head",
    "long_enough",
    "make_plan",
    "pick_device",
    "seeded",
    "steps",
    "uniformity",
]
