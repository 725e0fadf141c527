"""VICReg: two views agree, every dimension varies over the batch, and no two vary together."""

import torch
from torch import Tensor
from torch.nn import functional

from cellssl.encoders import Encoder
from cellssl.methods.gathering import gathered
from cellssl.methods.heads import mlp
from cellssl.methods.method import Method, check_batch, full_precision
from cellssl.methods.options import not_negative, whole

_EPSILON = 1e-4  # of the variance, as published


def vicreg_loss(
    z1: Tensor, z2: Tensor, *, sim: float = 25.0, var: float = 25.0, cov: float = 1.0
) -> Tensor:
    """Invariance, variance and covariance.

    Bardes et al., *VICReg: Variance-Invariance-Covariance Regularization* (2021, arXiv 2105.04906),
    equations 1 to 6: sim · s(z1, z2) + var · [v(z1) + v(z2)] + cov · [c(z1) + c(z2)], with

    - s the mean squared difference over cells *and* dimensions (as the authors' code and solo-learn
      have it; the paper's equation 5 sums over dimensions),
    - v the mean over dimensions of max(0, 1 − √(Var + 1e-4)), as in the paper and solo-learn: the
      authors' code, and lightly, halve it,
    - c the sum of the squared covariances off the diagonal, divided by D; variances and covariances
      divide by B − 1.

    Parameters
    ----------
    z1, z2 : Tensor
        (B, D) projections of the two views; row i of both is the same cell. B ≥ 2.
    sim, var, cov : float
        Weights of the three terms: λ, µ, ν.

    Returns
    -------
    Tensor
        0-d.

    Examples
    --------
    >>> z = torch.tensor([[1.0, 1.0], [-1.0, -1.0]])  # Var 2, Cov 2: v = 0, c = 2 · 2² / 2
    >>> vicreg_loss(z, z, sim=1.0, var=1.0, cov=1.0).item()
    8.0
    """
    check_batch(len(z1))
    invariance = functional.mse_loss(z1, z2)
    variance = _too_alike(z1) + _too_alike(z2)
    covariance = _redundancy(z1) + _redundancy(z2)
    return sim * invariance + var * variance + cov * covariance


def _too_alike(z: Tensor) -> Tensor:
    """Equation 1: how far the standard deviations fall short of 1."""
    return functional.relu(1 - (z.var(dim=0) + _EPSILON).sqrt()).mean()


def _redundancy(z: Tensor) -> Tensor:
    """Equation 4: squared covariances between different dimensions."""
    centred = z - z.mean(dim=0)
    C = centred.T @ centred / (len(z) - 1)  # (D, D)
    return (C.square().sum() - C.diagonal().square().sum()) / z.shape[1]


class VICReg(Method):
    """VICReg (Bardes et al. 2021) with solo-learn's head, whose last layer has a bias.

    Parameters
    ----------
    encoder : Encoder
        Gives the features that are kept.
    hidden, dim : int
        Width of the projector's two hidden layers (with batch normalisation) and of its output.
    sim, var, cov : float
        Weights of invariance, variance and covariance.
    """

    name = "vicreg"

    def __init__(
        self,
        encoder: Encoder,
        *,
        hidden: int = 2048,
        dim: int = 2048,
        sim: float = 25.0,
        var: float = 25.0,
        cov: float = 1.0,
    ) -> None:
        super().__init__()
        whole(hidden=hidden, dim=dim)
        not_negative(sim=sim, var=var, cov=cov)
        self.encoder = encoder
        self.projector = mlp(encoder.feature_dim, hidden, hidden, dim, norm=True)
        self.sim, self.var, self.cov = sim, var, cov

    def loss(self, view1: Tensor, view2: Tensor) -> Tensor:
        """Give the VICReg loss of two views (B, C, H, W)."""
        z1, z2 = (self.projector(self.encoder(view)) for view in (view1, view2))
        with torch.autocast(z1.device.type, enabled=False):
            z1, z2 = (gathered(z) for z in full_precision(z1, z2))
            return vicreg_loss(z1, z2, sim=self.sim, var=self.var, cov=self.cov)
