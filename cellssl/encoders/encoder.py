"""What every encoder is: images in, features out, and the four words that rebuild it."""

from abc import ABC, abstractmethod
from typing import Any, Literal

from torch import Tensor, nn

Stem = Literal["imagenet", "cifar"]


class Encoder(nn.Module, ABC):
    """A network from images (B, C, H, W) to features (B, D), for any height and width.

    Attributes
    ----------
    name, in_channels, width, stem
        What `build` was called with.
    feature_dim : int
        D, the number of features.
    """

    name: str
    in_channels: int
    width: float
    stem: str
    feature_dim: int

    @abstractmethod
    def forward(self, images: Tensor) -> Tensor:
        """Turn images (B, C, H, W) into features (B, D)."""

    def branch(self, name: str) -> "Encoder":  # noqa: ARG002
        """Give the network of one branch: itself, where it has none (`BranchedEncoder` has)."""
        return self

    def take_after(self, other: "Encoder") -> None:
        """Be called as another encoder is, and take images of as many channels."""
        self.name, self.in_channels = other.name, other.in_channels
        self.width, self.stem = other.width, other.stem

    def describe(self) -> dict[str, Any]:
        """Say in plain Python what would rebuild this encoder, for checkpoints and provenance: its attributes."""
        said = ("name", "in_channels", "width", "stem", "feature_dim")
        return {attribute: getattr(self, attribute) for attribute in said}


def scaled_planes(planes: int, width: float) -> int:
    """Scale a layer's number of planes, to the nearest multiple of 8 (as tensor cores want).

    Examples
    --------
    >>> scaled_planes(64, 0.5), scaled_planes(64, 0.3)
    (32, 16)
    """
    return max(8, 8 * int(planes * width / 8 + 0.5))


def initialise(network: nn.Module) -> None:
    """Initialise as torchvision does: convolutions Kaiming normal over the fan-out, norms 1 and 0.

    The last norm of a residual branch starts at 1 too (torchvision's default): with zero there
    (Goyal et al., 2017) an untrained network would be little more than its stem, and the random
    baseline would not be a network.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)
