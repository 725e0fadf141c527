"""Residual networks of torchvision's blocks, with any number of channels and any width."""

from dataclasses import dataclass

from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, Bottleneck

from cellssl.encoders.encoder import Encoder, Stem, initialise, scaled_planes


@dataclass(frozen=True)
class ResNetPlan:
    """How deep a ResNet is, of which blocks, and which convolution takes the stride."""

    block: type[BasicBlock] | type[Bottleneck]
    depths: tuple[int, int, int, int]
    stride_in_conv1: bool = False


resnet_plans = {
    "resnet18": ResNetPlan(BasicBlock, (2, 2, 2, 2)),
    "resnet34": ResNetPlan(BasicBlock, (3, 4, 6, 3)),
    "resnet50": ResNetPlan(Bottleneck, (3, 4, 6, 3)),
    # He et al. (2015) as published: torchvision (v1.5) moved the stride to the 3×3 convolution. The
    # keys are the same, so weights of one load into the other without complaint and give wrong
    # features: hence a name of its own.
    "resnet50-v1": ResNetPlan(Bottleneck, (3, 4, 6, 3), stride_in_conv1=True),
    "resnet101": ResNetPlan(Bottleneck, (3, 4, 23, 3)),
}


class ResNet(Encoder):
    """A ResNet without its classifier (He et al., 2015, arXiv 1512.03385).

    Its parameters have torchvision's names.

    Parameters
    ----------
    name : str
        One of `resnet_plans`.
    in_channels : int
        Channels of the images.
    width : float
        Factor on the number of planes of every layer.
    stem : {"imagenet", "cifar"}
        "imagenet": 7×7 convolution of stride 2, then max-pooling; "cifar", for images of some
        32 pixels: 3×3 of stride 1 and no pooling.
    """

    def __init__(self, name: str, in_channels: int, *, width: float, stem: Stem) -> None:
        super().__init__()
        self.name, self.in_channels, self.width, self.stem = name, in_channels, width, stem
        plan = resnet_plans[name]
        planes = [scaled_planes(n, width) for n in (64, 128, 256, 512)]
        side, stride = (7, 2) if stem == "imagenet" else (3, 1)
        self.conv1 = nn.Conv2d(in_channels, planes[0], side, stride, side // 2, bias=False)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1) if stride == 2 else nn.Identity()
        self.bn1 = nn.BatchNorm2d(planes[0])
        self.relu = nn.ReLU(inplace=True)
        inputs = [planes[0], *(n * plan.block.expansion for n in planes)]
        self.layer1 = _layer(plan, 0, inputs[0], planes[0])
        self.layer2 = _layer(plan, 1, inputs[1], planes[1])
        self.layer3 = _layer(plan, 2, inputs[2], planes[2])
        self.layer4 = _layer(plan, 3, inputs[3], planes[3])
        self.feature_dim = inputs[4]
        initialise(self)

    def forward(self, images: Tensor) -> Tensor:
        """Turn images (B, C, H, W) into the globally averaged last feature map (B, D)."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return x.mean(dim=(2, 3))

    def split(self, last: int) -> tuple[nn.Sequential, nn.Sequential]:
        """Part the network before its `last` stages of four: images to a map, and that to the last map."""
        stages = [self.layer1, self.layer2, self.layer3, self.layer4]
        first = [self.conv1, self.bn1, self.relu, self.maxpool, *stages[: 4 - last]]
        return nn.Sequential(*first), nn.Sequential(*stages[4 - last :])


def _layer(plan: ResNetPlan, position: int, inputs: int, planes: int) -> nn.Sequential:
    """Stack one stage's blocks; the first block widens the map and, but in stage 0, halves it."""
    stride = 1 if position == 0 else 2
    outputs = planes * plan.block.expansion
    shortcut = None
    if stride != 1 or inputs != outputs:
        shortcut = nn.Sequential(
            nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs)
        )
    first = plan.block(inputs, planes, stride, shortcut)
    if plan.stride_in_conv1 and isinstance(first, Bottleneck):
        first.conv1.stride, first.conv2.stride = first.conv2.stride, first.conv1.stride
    rest = [plan.block(outputs, planes) for _ in range(1, plan.depths[position])]
    return nn.Sequential(first, *rest)
