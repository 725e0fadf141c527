"""Barlow Twins: each dimension agrees between two views, and no two dimensions say the same."""

import torch
from torch import Tensor

from cellssl.encoders import Encoder
from cellssl.methods.gathering import gathered
from cellssl.methods.heads import mlp
from cellssl.methods.method import Method, check_batch, full_precision
from cellssl.methods.options import positive, whole

_EPSILON = 1e-5  # of the variance, as batch normalisation has it


def barlow_twins_loss(
    z1: Tensor, z2: Tensor, *, off_diagonal: float = 0.0051, scale: float = 0.1
) -> Tensor:
    """Bring the cross-correlation of two views to the identity.

    Zbontar et al., *Barlow Twins: Self-Supervised Learning via Redundancy Reduction* (2021, arXiv
    2103.03230), equation 1, times `scale`:

    Σ_i (1 − C_ii)² + λ Σ_i Σ_{j≠i} C_ij²,

    C the (D, D) matrix of correlations over the batch. Each dimension is centred and divided by its
    (biased) standard deviation, without any learnt scale or shift.

    Parameters
    ----------
    z1, z2 : Tensor
        (B, D) projections of the two views; row i of both is the same cell. B ≥ 2.
    off_diagonal : float
        λ, the weight of redundancy.
    scale : float
        Factor on the whole. The loss grows with D: 0.1 belongs to projections of some thousand
        dimensions.

    Returns
    -------
    Tensor
        0-d.

    Examples
    --------
    >>> z = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    >>> round(barlow_twins_loss(z, z.flip(1), off_diagonal=0.5, scale=1.0).item(), 3)  # 2 + 0.5 · 2
    3.0
    """
    check_batch(len(z1))
    a, b = _standardised(z1), _standardised(z2)
    C = a.T @ b / len(a)  # (D, D)
    on = (C.diagonal() - 1).square().sum()
    off = C.square().sum() - C.diagonal().square().sum()
    return scale * (on + off_diagonal * off)


def _standardised(z: Tensor) -> Tensor:
    """Centre each dimension over the batch, and divide it by its standard deviation."""
    variance, mean = torch.var_mean(z, dim=0, correction=0)
    return (z - mean) * (variance + _EPSILON).rsqrt()


class BarlowTwins(Method):
    """Barlow Twins (Zbontar et al. 2021) with solo-learn's head and loss scale.

    Parameters
    ----------
    encoder : Encoder
        Gives the features that are kept.
    hidden, dim : int
        Width of the projector's two hidden layers (with batch normalisation) and of its output.
    off_diagonal : float
        λ of the loss.
    scale : float
        Factor on the loss; with another `dim` about 196 / dim keeps its size (as LARS sees it, it
        matters only where a layer's ratio is clipped).
    """

    name = "barlow_twins"

    def __init__(
        self,
        encoder: Encoder,
        *,
        hidden: int = 2048,
        dim: int = 2048,
        off_diagonal: float = 0.0051,
        scale: float = 0.1,
    ) -> None:
        super().__init__()
        whole(hidden=hidden, dim=dim)
        positive(off_diagonal=off_diagonal, scale=scale)
        self.encoder = encoder
        self.projector = mlp(encoder.feature_dim, hidden, hidden, dim, norm=True)
        self.off_diagonal, self.scale = off_diagonal, scale

    def loss(self, view1: Tensor, view2: Tensor) -> Tensor:
        """Give the Barlow Twins loss of two views (B, C, H, W)."""
        z1, z2 = (self.projector(self.encoder(view)) for view in (view1, view2))
        with torch.autocast(z1.device.type, enabled=False):
            z1, z2 = (gathered(z) for z in full_precision(z1, z2))
            return barlow_twins_loss(z1, z2, off_diagonal=self.off_diagonal, scale=self.scale)
