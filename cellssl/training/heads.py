"""Heads out of a checkpoint: the spaces in which a run's losses compared views."""

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from cellssl import methods
from cellssl.errors import ModelError, nearest
from cellssl.training.checkpoint import load_weights
from cellssl.training.seeds import seeded

__all__ = ["PROJECTION", "head_names", "load_head"]

PROJECTION = "projection"  # what the one head of a run without groups of views is called
_GROUPED = re.compile(r"heads\.([^.]+)\.projector\.")
_ALONE = "projector."


class Projection(nn.Module):
    """An encoder with a trained head on it: images (B, C, H, W) to (B, `feature_dim`).

    Where the loss compares directions alone, so that a projection's length means nothing,
    projections have unit length.
    """

    def __init__(self, method: methods.Method, *, feature_dim: int) -> None:
        super().__init__()
        self.method, self.feature_dim = method, feature_dim

    def forward(self, images: Tensor) -> Tensor:
        """Project images."""
        return self.method.project(images)


def head_names(checkpoint: Mapping[str, Any]) -> tuple[str, ...]:
    """List a run's heads: its groups of views in their order, or "projection" alone.

    Examples
    --------
    >>> state = {"heads.expert.projector.0.bias": 0, "heads.geometry.projector.0.bias": 0}
    >>> head_names({"method_state": state})
    ('expert', 'geometry')
    """
    state = checkpoint["method_state"]
    found = dict.fromkeys(match[1] for name in state if (match := _GROUPED.match(name)))
    if found:
        return tuple(found)
    return (PROJECTION,) if any(name.startswith(_ALONE) for name in state) else ()


def load_head(checkpoint: Mapping[str, Any], name: str, encoder: Any, *, source: str) -> Projection:
    """Put a run's trained head on its encoder.

    Parameters
    ----------
    checkpoint : mapping
        As `load_checkpoint` gives it.
    name : str
        One of `head_names(checkpoint)`.
    encoder : Encoder
        The checkpoint's, its weights loaded.
    source : str
        Where the checkpoint comes from, for messages.

    Raises
    ------
    ModelError
        When there is no such head, or its weights do not fit.
    """
    there = head_names(checkpoint)
    if name not in there:
        raise ModelError(
            f"{source} has no head {name!r}{nearest(name, there, listed=True) or '.'} Heads: "
            f"{', '.join(there) or '(none)'}; without a head the encoder's own features are taken."
        )
    settings, state = checkpoint["settings"], checkpoint["method_state"]
    with seeded(0):
        method = methods.build(settings["method"], encoder, **settings["method_options"])
    grouped = f"heads.{name}.{_ALONE}"
    prefix = grouped if any(key.startswith(grouped) for key in state) else _ALONE
    weights = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
    load_weights(method.projector, weights, source=f"head {name} of {source}")
    width = [layer for layer in method.projector.modules() if isinstance(layer, nn.Linear)][-1]
    return Projection(method, feature_dim=width.out_features)
