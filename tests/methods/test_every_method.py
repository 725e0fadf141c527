"""What holds for each of the five methods."""

import pytest
import torch
from lightly.loss import BarlowTwinsLoss, NegativeCosineSimilarity, NTXentLoss, VICRegLoss
from torch import Tensor, nn

from cellssl import encoders, methods
from cellssl.methods import (
    Method,
    barlow_twins_loss,
    byol_loss,
    info_nce_loss,
    nt_xent_loss,
    vicreg_loss,
)

from .examples import batch_of

SMALL = {
    "simclr": {"hidden": 16, "dim": 8},
    "moco": {"hidden": 16, "dim": 8, "queue": 32},
    "byol": {"hidden": 16, "dim": 8, "predictor_hidden": 16},
    "barlow_twins": {"hidden": 16, "dim": 8},
    "vicreg": {"hidden": 16, "dim": 8},
}


def make(name: str, *, stem: str = "imagenet", **options: object) -> Method:
    torch.manual_seed(0)
    encoder = encoders.build("resnet18", 2, width=0.125, stem=stem)
    return methods.build(name, encoder, **{**SMALL[name], **options})


def half_variance(z1: Tensor, z2: Tensor) -> Tensor:
    """VICReg as lightly has it, with half the weight on the variance (trap 3)."""
    return vicreg_loss(z1, z2, var=12.5)


def byol_direction(z1: Tensor, z2: Tensor) -> Tensor:
    return (byol_loss(z1, z2) - 2) / 2


PEERS = {
    "simclr": (nt_xent_loss, NTXentLoss(temperature=0.2)),
    "byol": (byol_direction, NegativeCosineSimilarity()),
    "barlow_twins": (
        lambda a, b: barlow_twins_loss(a, b, scale=1.0),
        BarlowTwinsLoss(lambda_param=0.0051),
    ),
    "vicreg": (half_variance, VICRegLoss()),
}


@pytest.mark.parametrize("name", list(PEERS))
def test_value_and_gradient_are_those_of_an_independent_library(name: str) -> None:
    ours, theirs = PEERS[name]
    generator = torch.Generator().manual_seed(0)
    z1 = torch.randn(32, 16, generator=generator, requires_grad=True)
    z2 = (z1.detach() + 0.3 * torch.randn(32, 16, generator=generator)).requires_grad_()
    got, wanted = ours(z1, z2), theirs(z1, z2.detach() if name == "byol" else z2)
    torch.testing.assert_close(got, wanted, atol=1e-5, rtol=1e-5)
    inputs = (z1,) if name == "byol" else (z1, z2)
    pairs = zip(torch.autograd.grad(got, inputs), torch.autograd.grad(wanted, inputs), strict=True)
    for one, other in pairs:
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


def test_moco_against_an_independent_library() -> None:
    generator = torch.Generator().manual_seed(0)
    queue = nn.functional.normalize(torch.randn(64, 16, generator=generator), dim=1)
    peer = NTXentLoss(temperature=0.2, memory_bank_size=(64, 16))
    peer.memory_bank.bank.copy_(queue)
    q = torch.randn(8, 16, generator=generator, requires_grad=True)
    k = torch.randn(8, 16, generator=generator)
    got, wanted = info_nce_loss(q, k, queue, temperature=0.2), peer(q, k)
    torch.testing.assert_close(got, wanted, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(
        torch.autograd.grad(got, q)[0], torch.autograd.grad(wanted, q)[0], atol=1e-5, rtol=1e-5
    )


def test_all_are_here() -> None:
    assert set(SMALL) == set(methods.names())


@pytest.mark.parametrize("name", methods.names())
def test_the_loss_is_float32_outside_autocast(name: str) -> None:
    # Trap 4: a covariance in 16 bits overflows; projections of 300 are enough in float16.
    method = make(name)
    with torch.no_grad():
        method.projector[-1].weight.mul_(1e4)
    with torch.autocast("cpu", torch.bfloat16):
        loss = method(*batch_of(8))
    assert loss.dtype == torch.float32
    assert torch.isfinite(loss)


@pytest.mark.parametrize("name", methods.names())
def test_the_encoder_that_is_kept_gets_the_gradient(name: str) -> None:
    # Trap 6.
    method = make(name)
    method(*batch_of(8)).backward()
    for parameter in method.encoder.parameters():
        assert parameter.grad is not None
        assert parameter.grad.abs().sum() > 0


@pytest.mark.parametrize("name", methods.names())
def test_the_small_images_stem_stands_in_every_encoder(name: str) -> None:
    # Trap 9: 3×3, stride 1, padding 1, no pooling, in the averaged copy as well.
    method = make(name, stem="cifar")
    found = [m for m in method.modules() if isinstance(m, encoders.Encoder)]
    assert len(found) == (2 if name in ("moco", "byol") else 1)
    for encoder in found:
        first = encoder.conv1
        assert (first.kernel_size, first.stride, first.padding) == ((3, 3), (1, 1), (1, 1))
        assert not any(isinstance(m, nn.MaxPool2d) for m in encoder.modules())


@pytest.mark.parametrize("name", methods.names())
def test_split_batch_norm_is_nowhere(name: str) -> None:
    # Trap 1: on one device shuffling does nothing, and none is done: plain norms over the batch.
    method = make(name).train()
    norms = [m for m in method.modules() if "Norm" in type(m).__name__]
    assert {type(m) for m in norms} <= {nn.BatchNorm2d, nn.BatchNorm1d}
    method(*batch_of(8))
    assert all(m.num_batches_tracked > 0 for m in norms)  # a moving average's too


@pytest.mark.parametrize("name", methods.names())
def test_small_views_and_a_step(name: str) -> None:
    method = make(name)
    first, second = batch_of(8)
    method.begin(100, 8)
    loss = method(first, second, first[..., 4:-4, 4:-4])
    loss.backward()
    method.after_step(torch.tensor(0), 10)
    assert torch.isfinite(loss)
