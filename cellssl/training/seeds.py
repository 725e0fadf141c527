"""The first use of a seed: the weights that training starts from."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Build networks inside this block: their weights depend on `seed` alone.

    The global generator is afterwards as it was. Nothing else in training draws from it: the order
    of the cells and their views are functions of (seed, epoch, cell).

    Examples
    --------
    >>> with seeded(3):
    ...     first = torch.nn.Linear(2, 2).weight
    >>> with seeded(3):
    ...     second = torch.nn.Linear(2, 2).weight
    >>> torch.equal(first, second)
    True
    """
    with torch.random.fork_rng(devices=[]):
        torch.random.default_generator.manual_seed(seed)
        yield
