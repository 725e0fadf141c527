"""Pictures for methods."""

import torch
from torch import Tensor


def batch_of(cells: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Two views of some cells, of noise."""
    views = torch.rand(2, cells, 2, 32, 32, generator=torch.Generator().manual_seed(seed))
    return views[0], views[1]
