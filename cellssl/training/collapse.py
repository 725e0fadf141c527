"""Is it collapsed? Two numbers on a batch of features, and a plain warning."""

import logging

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["FeatureTap", "effective_rank", "feature_std", "warn_if_collapsed"]

_LOG = logging.getLogger(__name__)
_LOWEST_STD = 0.02
_LOWEST_RANK = 1.5


def feature_std(features: Tensor) -> Tensor:
    """Measure how far features of different cells lie apart.

    The standard deviation of each dimension of the features scaled to unit length, averaged over
    dimensions, times √D: 0 when all cells have the same features, 1 when they spread evenly over
    the sphere. Chen & He, *Exploring Simple Siamese Representation Learning* (2020, arXiv
    2011.10566), section 4.1.

    Parameters
    ----------
    features : Tensor
        (B, D), B ≥ 2.

    Examples
    --------
    >>> feature_std(torch.ones(8, 4)).item()
    0.0
    """
    unit = functional.normalize(features.double(), dim=1)
    return unit.std(dim=0, correction=0).mean() * features.shape[1] ** 0.5


def effective_rank(features: Tensor) -> Tensor:
    """Measure how many directions the features use.

    exp(−Σ p log p) of the shares p of the singular values of the centred features: 1 when they lie
    on a line, D when all directions count alike. Roy & Vetterli, *The effective rank* (EUSIPCO
    2007).

    Parameters
    ----------
    features : Tensor
        (B, D), B ≥ 2.

    Examples
    --------
    >>> round(effective_rank(torch.cat([torch.eye(4), -torch.eye(4)])).item(), 3)
    4.0
    """
    centred = features.double() - features.double().mean(dim=0)
    values = torch.linalg.svdvals(centred)
    shares = values / values.sum().clamp_min(torch.finfo(values.dtype).tiny)
    return torch.special.entr(shares).sum().exp()


class FeatureTap:
    """Keeps the features of an encoder's last pass: any method can be watched without another pass.

    Parameters
    ----------
    encoder : nn.Module
        Whose output to keep.
    """

    def __init__(self, encoder: nn.Module) -> None:
        self._features: Tensor | None = None
        self._handle = encoder.register_forward_hook(self._keep)

    def _keep(self, module: nn.Module, inputs: object, features: Tensor) -> None:  # noqa: ARG002
        self._features = features.detach()

    def read(self) -> tuple[float, float]:
        """Give `feature_std` and `effective_rank` of the last pass. Waits for the device."""
        if self._features is None or not torch.isfinite(self._features).all():
            return float("nan"), float("nan")
        # On the CPU, where some hundred features take milliseconds: not every accelerator has
        # singular values, or float64, without which their last digits change from run to run.
        features = self._features.float().cpu()
        return feature_std(features).item(), effective_rank(features).item()

    def remove(self) -> None:
        """Take the tap off the encoder."""
        self._handle.remove()


def warn_if_collapsed(std: float, rank: float, *, epoch: int) -> bool:
    """Say so when the encoder gives (nearly) the same features for all cells.

    Returns
    -------
    bool
        Whether it is collapsed.
    """
    collapsed = std < _LOWEST_STD or rank < _LOWEST_RANK
    if collapsed:
        _LOG.warning(
            "the encoder has collapsed after epoch %d: features of different cells hardly differ "
            "(spread %.4f of 1, effective rank %.1f). Its embedding will tell nothing apart. Stop "
            "it; lower lr, lengthen warmup_epochs, or weaken the views.",
            epoch,
            std,
            rank,
        )
    return collapsed
