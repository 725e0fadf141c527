"""BYOL: predict a slowly moving encoder's view of a cell from another view, without negatives."""

import torch
from torch import Tensor
from torch.nn import functional

from cellssl.encoders import Encoder
from cellssl.methods.averaging import follow, frozen, momentum_at
from cellssl.methods.heads import mlp
from cellssl.methods.method import Method, full_precision
from cellssl.methods.options import fraction, whole


def byol_loss(predictions: Tensor, targets: Tensor) -> Tensor:
    """Squared distance of directions.

    Grill et al., *Bootstrap Your Own Latent* (2020, arXiv 2006.07733), equation 2: 2 − 2 cos of the
    angle between prediction and target, averaged over the batch. The method *sums* it over its two
    directions.

    Parameters
    ----------
    predictions : Tensor
        (B, D) of any length.
    targets : Tensor
        (B, D) of any length; get no gradient.

    Returns
    -------
    Tensor
        0-d, from 0 (same directions) to 4 (opposite ones).

    Examples
    --------
    >>> byol_loss(torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 3.0]])).item()
    2.0
    """
    return 2 - 2 * functional.cosine_similarity(predictions, targets.detach(), dim=1).mean()


class BYOL(Method):
    """BYOL (Grill et al. 2020) with solo-learn's heads.

    The features that are kept are the online encoder's, which gradients reach; the target encoder
    is its moving average.

    Parameters
    ----------
    encoder : Encoder
        Gives the features that are kept. Its copy, the target encoder, is made here.
    hidden, dim : int
        Width of the projector's hidden layer (with batch normalisation) and of its output.
    predictor_hidden : int
        Width of the predictor's hidden layer (with batch normalisation).
    momentum, final_momentum : float
        Of the target encoder, at the first and after the last step, by a cosine of the global step.
    """

    name = "byol"
    directions = True

    def __init__(
        self,
        encoder: Encoder,
        *,
        hidden: int = 4096,
        dim: int = 256,
        predictor_hidden: int = 4096,
        momentum: float = 0.99,
        final_momentum: float = 1.0,
    ) -> None:
        super().__init__()
        whole(hidden=hidden, dim=dim, predictor_hidden=predictor_hidden)
        fraction(momentum=momentum, final_momentum=final_momentum)
        self.encoder = encoder
        self.projector = mlp(encoder.feature_dim, hidden, dim, norm=True)
        self.predictor = mlp(dim, predictor_hidden, dim, norm=True)
        self.target_encoder, self.target_projector = frozen(encoder), frozen(self.projector)
        self.momentum, self.final_momentum = momentum, final_momentum

    def loss(self, view1: Tensor, view2: Tensor) -> Tensor:
        """Give the sum of both directions' losses of two views (B, C, H, W)."""
        return self._predict(view1, view2) + self._predict(view2, view1)

    def _predict(self, seen: Tensor, wanted: Tensor) -> Tensor:
        """Compare what one view predicts with what the target encoder makes of the other."""
        prediction = self.predictor(self.projector(self.encoder(seen)))
        with torch.no_grad():
            target = self.target_projector(self.target_encoder(wanted))
        with torch.autocast(prediction.device.type, enabled=False):
            return byol_loss(*full_precision(prediction, target))

    def after_step(self, step: Tensor | int, total: int) -> None:
        """Move the target encoder towards the encoder."""
        momentum = momentum_at(step, total, start=self.momentum, end=self.final_momentum)
        follow(self.target_encoder, self.encoder, momentum)
        follow(self.target_projector, self.projector, momentum)
