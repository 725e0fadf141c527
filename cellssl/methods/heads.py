"""Projection heads: what stands between the features that are kept and the loss."""

from itertools import pairwise

from torch import nn


def mlp(*widths: int, norm: bool = False) -> nn.Sequential:
    """Make linear layers with a ReLU between every two.

    Parameters
    ----------
    *widths : int
        Of the input, of each hidden layer and of the output: two or more numbers.
    norm : bool
        Batch normalisation before every ReLU; none after the last layer.

    Examples
    --------
    >>> [tuple(p.shape) for p in mlp(8, 16, 4).parameters()]
    [(16, 8), (16,), (4, 16), (4,)]
    """
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        if layers:
            layers += [nn.BatchNorm1d(inputs)] if norm else []
            layers += [nn.ReLU(inplace=True)]
        layers.append(nn.Linear(inputs, outputs))
    return nn.Sequential(*layers)
