"""The random numbers of one operation: hashed for training, pinned for looking at."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cellssl.augment import counters

_CHANCE = -1  # the number that decides whether a sample is touched; others begin at 0


def draw_ahead(keys: Tensor, counts: Sequence[tuple[int, int]]) -> list[Tensor]:
    """Draw the chance and the first numbers of all operations of a view, in one go.

    `counts` are pairs of a stream and how many numbers; each gets its (N, count) of `Draws.ahead`.
    """
    return counters.uniform_tables(keys, _CHANCE, counts) if counts else []


@dataclass(frozen=True)
class Draws:
    """The random numbers of one operation in one view, for the samples of one batch.

    Parameters
    ----------
    keys
        (N,) int64 of `counters.make_keys`.
    stream
        The operation's own number: its name and how often it stood before in the view, so that a
        protocol with one operation more or less leaves the draws of all others as they were.
    channels
        C of the images.
    size
        Height and width of the view in pixels.
    strength
        None draws at random. A number from 0 to 1 touches every sample and pins every amplitude to
        that share of the way from nothing to its extreme: for previews and audits.
    ahead
        The operation's part of `draw_ahead`, if it was drawn: the same numbers, sooner.
    """

    keys: Tensor
    stream: int
    channels: int
    size: int
    strength: float | None = None
    ahead: Tensor | None = None

    def amplitude(
        self,
        index: int,
        low: float,
        high: float,
        *,
        count: int | None = None,
        neutral: float = 0.0,
    ) -> Tensor:
        """Draw how strong something is, from U(low, high): (N,), or (N, count).

        `index` numbers the operation's own draws; `neutral` is the value that changes nothing.
        Pinned draws lie between it and the end that is further from it.
        """
        if self.strength is None:
            return self.uniform(index, low, high, count=count)
        end = high if abs(high - neutral) >= abs(low - neutral) else low
        shape = (len(self.keys),) if count is None else (len(self.keys), count)
        value = neutral + self.strength * (end - neutral)
        return torch.full(shape, value, dtype=torch.float32, device=self.keys.device)

    def uniform(self, index: int, low: float, high: float, *, count: int | None = None) -> Tensor:
        """Draw a place, a direction, a choice, from [low, high): (N,), or (N, count)."""
        return low + (high - low) * self._fractions(index, count)

    def whole(self, index: int, choices: int, *, count: int | None = None) -> Tensor:
        """Draw from 0, 1, …, choices − 1: int64 (N,), or (N, count)."""
        return (self._fractions(index, count) * choices).to(torch.int64)

    def chance(self, p: float, index: int = _CHANCE, *, count: int | None = None) -> Tensor:
        """Decide with chance p: bool (N,), or (N, count); by default whether a sample is touched."""
        drawn = self._fractions(index, count)
        return torch.ones_like(drawn, dtype=torch.bool) if self.strength is not None else drawn < p

    def _fractions(self, index: int, count: int | None) -> Tensor:
        """Look up or hash numbers from [0, 1): (N,), or (N, count)."""
        first, last = index - _CHANCE, index - _CHANCE + (count or 1)
        if self.ahead is None or last > self.ahead.shape[1]:
            return counters.uniform(self.keys, self.stream, index, count)
        return self.ahead[:, first] if count is None else self.ahead[:, first:last]

    def noise(self, index: int) -> Tensor:
        """Choose where each channel's noise is cut out of the noise bank: (N, C) int64.

        The view turns it into standard normal fields (N, C, size, size) just before they are used;
        an operation lists such parameters in `noise_fields`.
        """
        return counters.noise_windows(self.keys, self.stream, index, count=self.channels)
