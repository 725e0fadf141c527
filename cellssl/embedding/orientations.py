"""Features that no longer depend on how a cell lies: their mean over its orientations."""

import torch
from torch import Tensor, nn

from cellssl.errors import EmbeddingError

_ORIENTATIONS = (1, 4, 8)  # as a cell lies; its quarter turns; these and their mirror images


def check_orientations(orientations: int) -> None:
    """Refuse numbers of orientations that a square has not.

    Raises
    ------
    EmbeddingError
        When it is not 1, 4 or 8.
    """
    if type(orientations) is not int or orientations not in _ORIENTATIONS:
        raise EmbeddingError(
            f"orientations: got {orientations!r}, wanted 1 (each cell as it lies), 4 (the mean over its quarter "
            "turns) or 8 (and over their mirror images)"
        )


class OrientationMean(nn.Module):
    """The mean of a network's features over quarter turns of what it sees, and their mirror images.

    A quarter turn moves pixels and changes none, so that nothing is resampled. Networks, pretrained ones above all,
    give a cell that lies otherwise other features; their mean over the orientations does not change with them.

    Parameters
    ----------
    network : nn.Module
        From (B, C, S, S) to (B, D).
    orientations : {1, 4, 8}
        1 leaves the network as it is.

    Examples
    --------
    >>> corner = nn.Sequential(nn.Flatten(), nn.Linear(4, 1, bias=False))
    >>> _ = nn.init.constant_(corner[1].weight, 1.0)
    >>> OrientationMean(corner, 8)(torch.eye(2)[None, None]).tolist()
    [[2.0]]
    """

    def __init__(self, network: nn.Module, orientations: int = 8) -> None:
        super().__init__()
        check_orientations(orientations)
        self.network = network
        self.orientations = orientations

    def forward(self, images: Tensor) -> Tensor:
        """Give the mean features of images (B, C, S, S): (B, D)."""
        mirrored = [images, images.flip(-1)] if self.orientations == 8 else [images]
        turns = range(1 if self.orientations == 1 else 4)
        seen = [
            self.network(torch.rot90(one, turn, (-2, -1))) for one in mirrored for turn in turns
        ]
        return torch.stack(seen).mean(dim=0)
