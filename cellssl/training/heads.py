"""Heads out of a checkpoint: the spaces in which a run's losses compared views."""

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from cellssl import methods
from cellssl.errors import ModelError, nearest
from cellssl.state_dict import load_state

PROJECTION = "projection"  # what the one head of a run without groups of views is called
_GROUPED = re.compile(r"heads\.([^.]+)\.projector\.")
_ALONE = "projector."


class Projection(nn.Module):
    """An encoder with a trained head on it: images (B, C, H, W) to (B, `feature_dim`).

    Where the loss compares directions alone, so that a projection's length means nothing,
    projections have unit length.
    """

    def __init__(self, encoder: nn.Module, projector: nn.Sequential, *, directions: bool) -> None:
        super().__init__()
        self.encoder, self.projector, self.directions = encoder, projector, directions
        linear = [layer for layer in projector if isinstance(layer, nn.Linear)]
        self.feature_dim = linear[-1].out_features

    def forward(self, images: Tensor) -> Tensor:
        """Put images into the space that the loss compares views in."""
        z: Tensor = self.projector(self.encoder(images))
        return functional.normalize(z, dim=1) if self.directions else z


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
    encoder = encoder.branch(name)
    method = methods.outline(
        settings["method"], settings["method_options"], feature_dim=encoder.feature_dim
    )
    projector = method.projector.to_empty(device="cpu")
    grouped = f"heads.{name}.{_ALONE}"
    prefix = grouped if any(key.startswith(grouped) for key in state) else _ALONE
    weights = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
    load_state(projector, weights, source=f"head {name} of {source}")
    return Projection(encoder, projector, directions=method.directions)
