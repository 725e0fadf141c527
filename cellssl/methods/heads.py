"""Projection heads: what stands between the features that are kept and the loss."""

from torch import nn

__all__ = ["mlp"]


def mlp(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    """Make linear, ReLU, linear, without batch normalisation (as SimCLR and MoCo v2 in solo-learn).

    Parameters
    ----------
    inputs, hidden, outputs : int
        Width of each layer.

    Examples
    --------
    >>> [tuple(p.shape) for p in mlp(8, 16, 4).parameters()]
    [(16, 8), (16,), (4, 16), (4,)]
    """
    return nn.Sequential(
        nn.Linear(inputs, hidden), nn.ReLU(inplace=True), nn.Linear(hidden, outputs)
    )
