"""Positives that are other images: which image stands in for which, epoch by epoch."""

import logging
from copy import copy
from typing import Self

import numpy as np
import torch
from torch import Tensor

from cellssl.augment import make_keys
from cellssl.augment.counters import hashed
from cellssl.errors import TrainingError

_LOG = logging.getLogger(__name__)
_PAIRING = 1 << 40  # sets these draws apart from every view's and operation's


class Partners:
    """For every image another one of its group, drawn anew in every epoch from counters.

    An image that has none is its own partner; how many there are is said once.

    Parameters
    ----------
    groups
        (N,) the group of each image, of any kind that sorts: wells, treatments.
    apart
        (N,) optional: a partner must differ in this, plates say.

    Raises
    ------
    TrainingError
        When no image at all has a partner.

    Examples
    --------
    >>> partners = Partners(np.array(["a", "b", "a", "b"]))
    >>> index = torch.arange(4)
    >>> partners.draw(index, samples=index, seed=0, epoch=0).tolist()
    [2, 3, 0, 1]
    """

    def __init__(self, groups: np.ndarray, apart: np.ndarray | None = None) -> None:
        _, group = np.unique(groups, return_inverse=True)
        block = np.arange(len(group))  # what a partner must not be from: oneself
        if apart is not None:
            _, block = np.unique(apart, return_inverse=True)
        order = np.lexsort((block, group))
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        start, length = _runs(group[order])
        shut, width = _runs(np.stack([group[order], block[order]], axis=1))
        # A group's members stand side by side, and within them those that are shut out.
        self._order = torch.from_numpy(order)
        self._start = torch.from_numpy(start[place])
        self._choices = torch.from_numpy((length - width)[place])
        self._shut = torch.from_numpy((shut - start)[place])
        self._width = torch.from_numpy(width[place])
        self.alone = int((self._choices == 0).sum())
        if self.alone == len(group):
            raise TrainingError(
                "no image has a partner: every group has one member, or its members do not differ "
                "in what must be apart. Choose larger groups, or positives: same_cell."
            )
        if self.alone:
            _LOG.warning(
                "%d of %d cells have no partner and are paired with themselves",
                self.alone,
                len(group),
            )

    def __len__(self) -> int:
        return len(self._order)

    def draw(
        self, index: Tensor, *, samples: Tensor, seed: int | Tensor, epoch: int | Tensor
    ) -> Tensor:
        """Choose partners.

        Parameters
        ----------
        index
            (B,) int64 positions of images.
        samples
            (B,) int64: their stable numbers, from which the choice is hashed.
        seed, epoch
            Integers, or 0-d int64 tensors.

        Returns
        -------
        Tensor
            (B,) int64 positions.
        """
        choices = self._choices[index]
        drawn = hashed(make_keys(seed, epoch, samples), _PAIRING, 0) % choices.clamp(min=1)
        drawn = drawn + torch.where(drawn >= self._shut[index], self._width[index], 0)
        place = self._start[index] + torch.where(choices > 0, drawn, 0)
        return torch.where(choices > 0, self._order[place], index)

    def to(self, device: torch.device | str) -> Self:
        """Give the same on another device."""
        moved = copy(self)
        for name in ("_order", "_start", "_choices", "_shut", "_width"):
            setattr(moved, name, getattr(self, name).to(device))
        return moved


def _runs(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give for each of sorted rows where its run of equal ones begins, and how long it is."""
    rows = values.reshape(len(values), -1)
    begins = np.r_[True, (rows[1:] != rows[:-1]).any(axis=1)]
    starts = np.flatnonzero(begins)
    run = np.cumsum(begins) - 1
    lengths = np.diff(np.r_[starts, len(rows)])
    return starts[run], lengths[run]
