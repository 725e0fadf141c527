"""VGG networks, with batch normalisation and without, with any number of channels and any width."""

from torch import Tensor, nn

from cellssl.encoders.encoder import Encoder, initialise, scaled_planes

SMALLEST = 32  # pixels: the map is halved five times

# Convolutions per block; every block ends in a max-pooling that halves the map.
_DEPTHS = {"vgg11": (1, 1, 2, 2, 2), "vgg13": (2, 2, 2, 2, 2)}
vgg_plans = _DEPTHS | {f"{name}_bn": depths for name, depths in _DEPTHS.items()}


class VGG(Encoder):
    """A VGG without its classifier (Simonyan & Zisserman, 2014, arXiv 1409.1556).

    Its parameters have torchvision's names. The last map is averaged over the image (512 features
    at width 1), where torchvision flattens 7×7 positions.

    Parameters
    ----------
    name : str
        One of `vgg_plans`; with "_bn" every convolution is followed by batch normalisation.
    in_channels : int
        Channels of the images; their sides must be 32 pixels or more.
    width : float
        Factor on the number of planes of every layer.
    """

    stem = "imagenet"  # a VGG has one kind of stem; the word stands for "as published"

    def __init__(self, name: str, in_channels: int, *, width: float) -> None:
        super().__init__()
        self.name, self.in_channels, self.width = name, in_channels, width
        layers: list[nn.Module] = []
        inputs = in_channels
        for planes, depth in zip((64, 128, 256, 512, 512), vgg_plans[name], strict=True):
            outputs = scaled_planes(planes, width)
            for _ in range(depth):
                layers += [nn.Conv2d(inputs, outputs, 3, padding=1)]
                layers += [nn.BatchNorm2d(outputs)] if name.endswith("_bn") else []
                layers += [nn.ReLU(inplace=True)]
                inputs = outputs
            layers += [nn.MaxPool2d(2, stride=2)]
        self.features = nn.Sequential(*layers)
        self.feature_dim = inputs
        initialise(self)

    def forward(self, images: Tensor) -> Tensor:
        """Turn images (B, C, H, W) into the globally averaged last feature map (B, D)."""
        return self.features(images).mean(dim=(2, 3))

    def split(self, last: int) -> tuple[nn.Sequential, nn.Sequential]:
        """Part the network before its `last` blocks of five: images to a map, and that to the last map."""
        ends = [i + 1 for i, layer in enumerate(self.features) if isinstance(layer, nn.MaxPool2d)]
        return self.features[: ends[-1 - last]], self.features[ends[-1 - last] :]
