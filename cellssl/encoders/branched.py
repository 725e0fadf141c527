"""One encoder whose last stages are there several times."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from cellssl.encoders.encoder import Encoder
from cellssl.encoders.resnet import ResNet
from cellssl.encoders.vgg import VGG


class BranchedEncoder(Encoder):
    """A network that divides into branches before its last stages; their features stand side by side.

    What is learnt early serves all; what one group of views makes its branch blind to, another
    branch may keep (hard parameter sharing: Caruana, *Multitask Learning*, 1997, doi
    10.1023/A:1007379606734).

    Parameters
    ----------
    networks : mapping
        Name of a branch → a network that it takes its stages from; the first gives what all share.
    own_stages : int
        Stages, from the last one, that each branch has for itself.
    """

    def __init__(self, networks: Mapping[str, ResNet | VGG], *, own_stages: int) -> None:
        super().__init__()
        first = next(iter(networks.values()))
        self.take_after(first)
        self.own_stages = own_stages
        self.shared = first.split(own_stages)[0]
        self.own = nn.ModuleDict({name: n.split(own_stages)[1] for name, n in networks.items()})
        self.feature_dim = first.feature_dim * len(networks)

    def forward(self, images: Tensor) -> Tensor:
        """Turn images (B, C, H, W) into the features (B, D) of all branches, in their order."""
        halfway = self.shared(images)
        return torch.cat([own(halfway).mean(dim=(2, 3)) for own in self.own.values()], dim=1)

    def branch(self, name: str) -> Encoder:
        """Give the network of one branch; its weights are this encoder's."""
        return Branch(self, self.own[name])

    def describe(self) -> dict[str, Any]:
        """Say in plain Python what would rebuild this encoder: its attributes, and its branches."""
        return {**super().describe(), "own_stages": self.own_stages, "branches": list(self.own)}


class Branch(Encoder):
    """What all branches share and one branch's own stages: together a network as it is without branches."""

    def __init__(self, whole: BranchedEncoder, own: nn.Module) -> None:
        super().__init__()
        self.take_after(whole)
        self.feature_dim = whole.feature_dim // len(whole.own)
        self.shared, self.own = whole.shared, own

    def forward(self, images: Tensor) -> Tensor:
        """Turn images (B, C, H, W) into the branch's features (B, D)."""
        return self.own(self.shared(images)).mean(dim=(2, 3))
