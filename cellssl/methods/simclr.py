"""SimCLR: two views of a cell are alike, all other cells of the batch are not."""

import torch
from torch import Tensor
from torch.nn import functional

from cellssl.encoders import Encoder
from cellssl.methods.gathering import gathered
from cellssl.methods.heads import mlp
from cellssl.methods.method import Method, check_batch, full_precision
from cellssl.methods.options import positive, whole


def nt_xent_loss(z1: Tensor, z2: Tensor, *, temperature: float = 0.2) -> Tensor:
    """Normalised temperature-scaled cross entropy.

    Chen et al., *A Simple Framework for Contrastive Learning of Visual Representations* (2020,
    arXiv 2002.05709), equation 1, averaged over all 2 B positive pairs as in their algorithm 1:

    l(i, j) = −log( exp(s_ij / T) / Σ_{k≠i} exp(s_ik / T) ), s = cosine similarity.

    Parameters
    ----------
    z1, z2 : Tensor
        (B, D) projections of the two views, of any length; row i of both is the same cell. B ≥ 2.
    temperature : float
        T.

    Returns
    -------
    Tensor
        0-d mean loss.

    Examples
    --------
    >>> z = torch.eye(2)
    >>> round(nt_xent_loss(z, z, temperature=1.0).item(), 4)  # log(1 + 2 / e)
    0.5514
    """
    check_batch(len(z1))
    z = functional.normalize(torch.cat([z1, z2]), dim=1)  # (2B, D)
    similarity = z @ z.T / temperature  # (2B, 2B)
    itself = torch.eye(len(z), dtype=torch.bool, device=z.device)
    similarity = similarity.masked_fill(itself, -torch.inf)
    partner = torch.arange(len(z), device=z.device).roll(len(z1))
    return functional.cross_entropy(similarity, partner)


class SimCLR(Method):
    """SimCLR with solo-learn's head (no batch normalisation in it).

    Both views (of one size) pass through the encoder in one batch of 2 B, as in the authors' code: batch
    normalisation sees both views together, and on two CPU cores it is no slower than two passes of
    B.

    Parameters
    ----------
    encoder : Encoder
        Gives the features that are kept.
    hidden, dim : int
        Width of the projection head's hidden layer and of its output (CIFAR: 2048 and 256).
    temperature : float
        Of the loss.
    """

    name = "simclr"
    directions = True

    def __init__(
        self,
        encoder: Encoder,
        *,
        hidden: int = 2048,
        dim: int = 256,
        temperature: float = 0.2,
    ) -> None:
        super().__init__()
        whole(hidden=hidden, dim=dim)
        positive(temperature=temperature)
        self.encoder = encoder
        self.projector = mlp(encoder.feature_dim, hidden, dim)
        self.temperature = temperature

    def loss(self, view1: Tensor, view2: Tensor) -> Tensor:
        """Give the NT-Xent loss of two views (B, C, H, W)."""
        if view1.shape == view2.shape:
            z1, z2 = self.projector(self.encoder(torch.cat([view1, view2]))).chunk(2)
        else:  # a small view beside a large one
            z1, z2 = (self.projector(self.encoder(view)) for view in (view1, view2))
        with torch.autocast(z1.device.type, enabled=False):
            z1, z2 = (gathered(z) for z in full_precision(z1, z2))
            return nt_xent_loss(z1, z2, temperature=self.temperature)
