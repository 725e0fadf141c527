"""SimCLR's loss against a value worked by hand and a naive implementation."""

import math

import pytest
import torch
from torch import Tensor

from cellssl import encoders, methods
from cellssl.errors import TrainingError
from cellssl.methods import nt_xent_loss


def naive_nt_xent(z1: Tensor, z2: Tensor, temperature: float) -> Tensor:
    """Equation 1 of Chen et al., term by term."""
    z = [row / row.norm() for row in [*z1, *z2]]
    n = len(z1)
    losses = []
    for i in range(2 * n):
        partner = (i + n) % (2 * n)
        terms = [torch.exp(z[i] @ z[k] / temperature) for k in range(2 * n) if k != i]
        losses.append(-torch.log(torch.exp(z[i] @ z[partner] / temperature) / sum(terms)))
    return torch.stack(losses).mean()


def test_worked_by_hand() -> None:
    # Two cells at right angles, both views alike: a view's partner has cosine 1, the others 0.
    z = 3 * torch.eye(2)
    for temperature in (1.0, 0.2):
        wanted = math.log(1 + 2 * math.exp(-1 / temperature))
        got = nt_xent_loss(z, z, temperature=temperature)
        assert got.item() == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("temperature", [0.1, 0.2, 0.5])
def test_against_the_naive_loop_with_gradients(temperature: float) -> None:
    generator = torch.Generator().manual_seed(0)
    z1 = torch.randn(7, 5, generator=generator, requires_grad=True)
    z2 = torch.randn(7, 5, generator=generator, requires_grad=True)
    got, wanted = nt_xent_loss(z1, z2, temperature=temperature), naive_nt_xent(z1, z2, temperature)
    torch.testing.assert_close(got, wanted, atol=1e-5, rtol=1e-5)
    for a, b in zip(
        torch.autograd.grad(got, (z1, z2)), torch.autograd.grad(wanted, (z1, z2)), strict=True
    ):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


def test_swapping_views_and_permuting_cells_changes_nothing() -> None:
    z1, z2 = torch.randn(2, 6, 4, generator=torch.Generator().manual_seed(1))
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    wanted = nt_xent_loss(z1, z2)
    torch.testing.assert_close(nt_xent_loss(z2, z1), wanted)
    torch.testing.assert_close(nt_xent_loss(z1[order], z2[order]), wanted)


def test_a_single_cell_has_nothing_to_be_compared_with() -> None:
    with pytest.raises(TrainingError, match="at least 2 cells in a batch, got 1"):
        nt_xent_loss(torch.ones(1, 4), torch.ones(1, 4))


def test_both_views_pass_in_one_batch_and_the_loss_is_float32_under_autocast() -> None:
    torch.manual_seed(0)
    method = methods.build("simclr", encoders.build("resnet18", 2, width=0.125), hidden=16, dim=8)
    passed = []
    method.encoder.register_forward_hook(lambda _, images, __: passed.append(images[0].shape))
    with torch.autocast("cpu", torch.bfloat16):
        loss = method.loss(torch.rand(4, 2, 32, 32), torch.rand(4, 2, 32, 32))
    assert passed == [(8, 2, 32, 32)]
    assert loss.dtype == torch.float32
    assert loss.shape == ()
    loss.backward()
    assert all(p.grad is not None for p in method.parameters())
