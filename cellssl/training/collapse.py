"""Is it collapsed? Numbers on a batch of features, and a plain warning."""

import logging
import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

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
    if len(centred) > centred.shape[1]:
        centred = centred.T
    # The smaller Gram matrix has their squares: ten times as fast as singular values.
    values = torch.linalg.eigvalsh(centred @ centred.T).clamp_min(0).sqrt()
    shares = values / values.sum().clamp_min(torch.finfo(values.dtype).tiny)
    return torch.special.entr(shares).sum().exp()


def alignment(features1: Tensor, features2: Tensor) -> Tensor:
    """Measure how far two views of a cell lie apart: 0 when the features ignore what views change.

    Mean squared distance of the features scaled to unit length. Wang & Isola, *Understanding
    Contrastive Representation Learning through Alignment and Uniformity on the Hypersphere* (2020,
    arXiv 2005.10242), equation 1 with α = 2.

    Parameters
    ----------
    features1, features2 : Tensor
        (B, D); row i of both is the same cell.

    Examples
    --------
    >>> alignment(torch.eye(2), 3 * torch.eye(2)).item()
    0.0
    """
    one, other = (functional.normalize(f.double(), dim=1) for f in (features1, features2))
    return (one - other).square().sum(dim=1).mean()


def uniformity(features: Tensor) -> Tensor:
    """Measure how evenly different cells fill the sphere: 0 when all lie on one point, below −3 when well spread.

    log of the mean of exp(−2 d²) over pairs of different cells, d the distance of the features
    scaled to unit length. Wang & Isola (2020), equation 2 with t = 2.

    Parameters
    ----------
    features : Tensor
        (B, D), B ≥ 2.

    Examples
    --------
    >>> uniformity(torch.ones(8, 4)).item()
    0.0
    """
    unit = functional.normalize(features.double(), dim=1)
    pairs = torch.ones(len(unit), len(unit), dtype=torch.bool, device=unit.device).triu(1)
    return (4 * (unit @ unit.T)[pairs] - 4).exp().mean().log()  # d² = 2 − 2 cosine


@dataclass(frozen=True)
class Spread:
    """How an encoder's features lie after an epoch.

    Attributes
    ----------
    feature_std, effective_rank, alignment, uniformity : float
        See the functions of these names. `effective_rank` is NaN for a batch of two cells;
        `alignment` is NaN where the encoder saw one view only (one-way
        MoCo, whose other view the momentum encoder sees).
    """

    feature_std: float = math.nan
    effective_rank: float = math.nan
    alignment: float = math.nan
    uniformity: float = math.nan


class FeatureTap:
    """Keeps the features of an encoder's passes: any method can be watched without another pass.

    Parameters
    ----------
    encoder : nn.Module
        Whose output to keep, while it trains.

    Attributes
    ----------
    features : list of Tensor
        One (R, D) for each pass since `clear`, detached; R is one or both views of the batch.
    """

    def __init__(self, encoder: nn.Module) -> None:
        self.features: list[Tensor] = []
        self._handle = encoder.register_forward_hook(self._keep)

    def _keep(self, module: nn.Module, inputs: object, features: Tensor) -> None:  # noqa: ARG002
        if module.training:
            self.features.append(features.detach())

    def clear(self) -> None:
        """Forget the passes so far; called when a batch begins."""
        self.features.clear()

    def read(self, batch: int, rows: int) -> Spread:
        """Measure the passes since `clear`. Waits for the device.

        Parameters
        ----------
        batch : int
            Cells that a view shows.
        rows : int
            Pictures in all views. Where the encoder saw fewer, as in one-way MoCo, no two passes are
            the views of a pair: of several groups of views they may show other cells.
        """
        # On the CPU, where some hundred features take milliseconds: not every accelerator has
        # singular values, or float64, without which their last digits change from run to run.
        passes = [features.float().cpu() for features in self.features[:2]]
        if not passes or not all(torch.isfinite(features).all() for features in passes):
            return Spread()
        views = [view for features in passes for view in features.split(batch)][:2]
        all_seen = sum(map(len, self.features)) >= rows
        paired = all_seen and len(views) == 2 and views[0].shape == views[1].shape
        return Spread(
            feature_std(views[-1]).item(),
            # Two cells always lie on a line, which is no collapse.
            effective_rank(views[-1]).item() if len(views[-1]) > 2 else math.nan,
            alignment(*views).item() if paired else math.nan,
            uniformity(views[0]).item(),
        )

    def remove(self) -> None:
        """Take the tap off the encoder."""
        self._handle.remove()


def warn_if_collapsed(spread: Spread, *, epoch: int) -> bool:
    """Say so when the encoder gives (nearly) the same features for all cells.

    Returns
    -------
    bool
        Whether it is collapsed.
    """
    collapsed = spread.feature_std < _LOWEST_STD or spread.effective_rank < _LOWEST_RANK
    if collapsed:
        _LOG.warning(
            "the encoder has collapsed after epoch %d: features of different cells hardly differ "
            "(spread %.4f of 1, effective rank %.1f). Its embedding will tell nothing apart. Stop "
            "it; lower lr, lengthen warmup_epochs, or weaken the views.",
            epoch,
            spread.feature_std,
            spread.effective_rank,
        )
    return collapsed
