"""The same recipes in cellssl, torchvision and kornia, at equal parameters.

Blur reaches four sigmas in all three (cellssl's and scipy's default). torchvision works on one image
at a time, as in a `Dataset`; kornia and cellssl on the batch, with parameters of its own for every
image. torchvision has no stain gain of a channel of its own, no blur that 0 leaves alone and no
Gaussian noise of a drawn deviation: those three are written here in the fewest tensor operations.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torchvision.transforms import v2

from cellssl.augment import Operation, View, make_keys, operation_named

Recipe = Callable[[Tensor], Tensor]
JITTER = {"brightness": 0.8, "contrast": 0.8, "saturation": 0.8, "hue": 0.2}
KERNEL = 2 * int(4 * 2.0 + 0.5) + 1


def _operation(name: str, **values: object) -> Operation:
    return operation_named(name)(**values)  # type: ignore[arg-type]


def _batched(operations: list[Operation], size: int) -> Recipe:
    view = View(operations, size)

    def run(images: Tensor) -> Tensor:
        return view(images, make_keys(0, 0, torch.arange(len(images), device=images.device)))

    return run


def _one_by_one(transform: nn.Module) -> Recipe:
    return lambda images: torch.stack([transform(image) for image in images])


def simclr_operations() -> list[Operation]:
    return [
        _operation("resized_crop"),
        _operation("flip", vertical=False),
        _operation("color_jitter", **JITTER, p=0.8),
        _operation("grayscale", p=0.2),
        _operation("blur", sigma=[0.1, 2.0], p=0.5),
    ]


def simclr(size: int) -> Recipe:
    return _batched(simclr_operations(), size)


def simclr_torchvision(size: int) -> Recipe:
    steps = [
        v2.RandomResizedCrop(size, antialias=True),
        v2.RandomHorizontalFlip(),
        v2.RandomApply([v2.ColorJitter(**JITTER)], 0.8),
        v2.RandomGrayscale(0.2),
        v2.RandomApply([v2.GaussianBlur(KERNEL, (0.1, 2.0))], 0.5),
    ]
    return _one_by_one(v2.Compose(steps))


def simclr_kornia(size: int) -> Recipe:
    from kornia import augmentation

    return nn.Sequential(
        augmentation.RandomResizedCrop((size, size), scale=(0.08, 1.0)),
        augmentation.RandomHorizontalFlip(),
        augmentation.ColorJitter(**JITTER, p=0.8),
        augmentation.RandomGrayscale(p=0.2),
        augmentation.RandomGaussianBlur((KERNEL, KERNEL), (0.1, 2.0), p=0.5),
    )


def expert_operations() -> list[Operation]:
    return [
        _operation("rotate", degrees=180.0),
        _operation("flip"),
        _operation("zoom", area=[0.85, 1.15]),
        _operation("shift", pixels=2.5),
        _operation("stain_gain", amplitude=0.15),
        _operation("stain_offset", amplitude=0.03),
        _operation("gamma", amplitude=0.1),
        _operation("defocus", sigma=[0.1, 1.5], p=0.3),
        _operation("read_noise", sigma=[0.0, 0.03], p=0.5),
    ]


def expert(size: int) -> Recipe:
    return _batched(expert_operations(), size)


class _Stain(nn.Module):
    """Gain, offset and gamma of every channel."""

    def forward(self, image: Tensor) -> Tensor:
        gain, offset, gamma = (torch.rand(3, image.shape[0], 1, 1) * 2 - 1).unbind()
        image = image * torch.exp(0.15 * gain) + 0.03 * offset
        return image.clamp(min=1e-6) ** torch.exp(0.1 * gamma)


class _Noise(nn.Module):
    """Noise of a deviation from U(0, 0.03)."""

    def forward(self, image: Tensor) -> Tensor:
        return image + torch.randn_like(image) * (0.03 * torch.rand(()))


def expert_torchvision(size: int) -> Recipe:
    share = 2.5 / size
    scale = (1.15**-0.5, 0.85**-0.5)
    kernel = 2 * int(4 * 1.5 + 0.5) + 1
    bilinear = v2.InterpolationMode.BILINEAR
    steps = [
        v2.RandomAffine(180, translate=(share, share), scale=scale, interpolation=bilinear),
        v2.RandomHorizontalFlip(),
        v2.RandomVerticalFlip(),
        v2.CenterCrop(size),
        _Stain(),
        v2.RandomApply([v2.GaussianBlur(kernel, (0.1, 1.5))], 0.3),
        v2.RandomApply([_Noise()], 0.5),
    ]
    return _one_by_one(v2.Compose(steps))


def expert_kornia(size: int) -> Recipe:
    from kornia import augmentation

    share = 2.5 / size
    scale = (1.15**-0.5, 0.85**-0.5)
    kernel = 2 * int(4 * 1.5 + 0.5) + 1
    return nn.Sequential(
        augmentation.RandomAffine(180.0, translate=(share, share), scale=scale, p=1.0),
        augmentation.RandomHorizontalFlip(),
        augmentation.RandomVerticalFlip(),
        augmentation.CenterCrop((size, size)),
        augmentation.RandomBrightness((0.86, 1.16), p=1.0),
        augmentation.RandomGamma((0.9, 1.1), p=1.0),
        augmentation.RandomGaussianBlur((kernel, kernel), (0.1, 1.5), p=0.3),
        augmentation.RandomGaussianNoise(std=0.015, p=0.5),
    )
