"""Encoders trained on photographs (ImageNet), made to take fluorescence channels.

What happens to a batch of scaled crops, in this order:

1. The crops (B, C, H, W), scaled to [0, 1] by the same intensity scaling as for any other encoder,
   are resized to `size` × `size` pixels (bilinear, antialiased). The networks were trained at
   224 pixels; smaller is faster.
2. The C channels meet the network's three, by `mapping`:

   - ``"rgb"``: three channels go in as they stand, the first as red, the second as green, the third
     as blue.
   - ``"per-channel"``: each channel goes in alone, copied to red, green and blue; the C outputs are
     concatenated, so that an image has C × D features. It loses nothing and costs C passes.
   - ``"inflate"``: the first convolution's weights are averaged over red, green and blue, repeated
     for each of the C channels and multiplied by 3 / C, so that C equal channels give nearly what a
     grey photograph would. One pass, D features, but the network cannot tell the channels apart.
   - ``"auto"``: ``"rgb"`` for three channels, ``"per-channel"`` for any other number.
3. ImageNet's mean and standard deviation of each colour are taken out; with ``"inflate"``, their
   mean over the colours.
4. The network without its classifier gives the globally averaged last map.
"""

import logging
from pathlib import Path
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from cellssl.encoders.catalogue import build
from cellssl.encoders.encoder import Encoder
from cellssl.encoders.weights import published_weights, read_weights
from cellssl.errors import ModelError
from cellssl.files import sha256
from cellssl.state_dict import load_state

_LOG = logging.getLogger(__name__)

Mapping = Literal["auto", "rgb", "per-channel", "inflate"]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class PretrainedEncoder(Encoder):
    """An ImageNet network with its preprocessing: scaled crops (B, C, H, W) in [0, 1] to features.

    The module's documentation says step by step what it does.

    Attributes
    ----------
    mapping : str
        "rgb", "per-channel" or "inflate".
    size : int
        Pixels that crops are resized to.
    weights, weights_sha256 : str
        Name and fingerprint of the weights file.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, network: Encoder, channels: int, *, mapping: Mapping, size: int, weights: Path
    ) -> None:
        super().__init__()
        self.take_after(network)
        self.in_channels, self.mapping, self.size = channels, mapping, size
        self.weights, self.weights_sha256 = weights.name, sha256(weights)
        self.network = network
        self.feature_dim = network.feature_dim * (channels if mapping == "per-channel" else 1)
        mean, std = torch.tensor(IMAGENET_MEAN), torch.tensor(IMAGENET_STD)
        if mapping == "inflate":
            mean, std = mean.mean(), std.mean()
        self.register_buffer("mean", mean.reshape(-1, 1, 1), persistent=False)
        self.register_buffer("std", std.reshape(-1, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Turn scaled crops (B, C, H, W) in [0, 1] into features (B, `feature_dim`)."""
        if images.shape[-2:] != (self.size, self.size):
            images = interpolate(
                images, (self.size, self.size), mode="bilinear", antialias=True, align_corners=False
            )
        if self.mapping != "per-channel":
            return self.network((images - self.mean) / self.std)
        # One channel after the other: all at once would take C times the memory.
        grey = (channel.unsqueeze(1) for channel in images.unbind(dim=1))
        return torch.cat([self.network((one - self.mean) / self.std) for one in grey], dim=1)


def load_pretrained(
    name: str,
    *,
    channels: int,
    weights: str | Path | None = None,
    mapping: Mapping = "auto",
    size: int = 224,
) -> PretrainedEncoder:
    """Load an encoder with ImageNet weights, in evaluation mode.

    Parameters
    ----------
    name : str
        "resnet18", "resnet34", "resnet50", "resnet101", "vgg11", "vgg13", "vgg11_bn", "vgg13_bn"
        (torchvision's), or "resnet50-v1", the original ResNet-50 with the stride in the first
        convolution of a block.
        Its weights have the same names and shapes as torchvision's: only the user can know which of
        the two a file is for.
    channels : int
        Channels of the crops.
    weights : path, optional
        A local file, ``torch.save(model.state_dict())`` of the network with or without classifier.
        By default torchvision's IMAGENET1K_V1, downloaded once.
    mapping : {"auto", "rgb", "per-channel", "inflate"}
        How the crops' channels meet the network's three; see the module's documentation.
    size : int
        Pixels that crops are resized to, 32 or more.

    Raises
    ------
    ModelError
        When the weights cannot be had or are another network's, or the mapping does not fit.
    """
    chosen = _choose(mapping, channels)
    if size < 32:
        raise ModelError(f"a pretrained encoder needs 32 pixels or more, got size={size}.")
    network = build(name, 3)
    file = Path(weights) if weights is not None else published_weights(name)
    load_state(network, read_weights(file), source=str(file))
    if name == "resnet50" and weights is not None:
        _LOG.info(
            "%s is taken as torchvision's ResNet-50; weights of the original (stride in conv1) "
            "load as well and give wrong features: for those say resnet50-v1",
            file,
        )
    if chosen == "inflate":
        _inflate(network, channels)
    return PretrainedEncoder(network, channels, mapping=chosen, size=size, weights=file).eval()


def _choose(mapping: Mapping, channels: int) -> Mapping:
    """Settle "auto", and refuse what cannot be."""
    if mapping not in get_args(Mapping):
        known = ", ".join(get_args(Mapping))
        raise ModelError(f"mapping must be one of {known}; got {mapping!r}.")
    if mapping == "auto":
        return "rgb" if channels == 3 else "per-channel"
    if mapping == "rgb" and channels != 3:
        raise ModelError(
            f"mapping 'rgb' needs three channels, the crops have "
            f"{channels}: take 'per-channel' or 'inflate'."
        )
    return mapping


def _inflate(network: Encoder, channels: int) -> None:
    """Replace the first convolution (three colours) by one for `channels` equal channels."""
    first = next(m for m in network.modules() if isinstance(m, nn.Conv2d))
    with torch.no_grad():
        grey = first.weight.mean(dim=1, keepdim=True) * (3 / channels)  # (planes, 1, 7, 7)
        first.weight = nn.Parameter(grey.repeat(1, channels, 1, 1))
    first.in_channels = network.in_channels = channels
