"""VICReg: hand-worked values, a naive loop, and which of the published variants it is."""

import pytest
import torch
from torch import Tensor

from cellssl.methods import vicreg_loss


def naive(z1: Tensor, z2: Tensor) -> Tensor:
    """Equations 1 to 6 of Bardes et al., number by number, with N − 1, D and a sum over views."""
    n, d = z1.shape
    total = 25 * sum((z1[i, j] - z2[i, j]) ** 2 for i in range(n) for j in range(d)) / (n * d)
    for z in (z1, z2):
        mean = sum(z[i] for i in range(n)) / n
        C = sum(torch.outer(z[i] - mean, z[i] - mean) for i in range(n)) / (n - 1)
        total = total + 25 * sum(torch.relu(1 - (C[j, j] + 1e-4).sqrt()) for j in range(d)) / d
        total = total + sum(C[i, j] ** 2 for i in range(d) for j in range(d) if i != j) / d
    return total


def test_worked_by_hand() -> None:
    # One dimension, two cells at ±a: variance 2 a², no covariance.
    a = 0.3
    z = torch.tensor([[a], [-a]])
    short = 1 - (2 * a**2 + 1e-4) ** 0.5
    assert vicreg_loss(z, z).item() == pytest.approx(2 * 25 * short, rel=1e-5)
    assert vicreg_loss(z, -z, var=1e-9).item() == pytest.approx(25 * (2 * a) ** 2, rel=1e-5)


def test_the_variance_term_is_not_halved() -> None:
    # Trap 3: the paper and solo-learn; the authors' code and lightly halve it.
    z = torch.zeros(4, 3)
    assert vicreg_loss(z, z).item() == pytest.approx(25 * 2 * (1 - 0.01), rel=1e-5)


def test_covariance_divides_by_cells_less_one_and_by_dimensions() -> None:
    # Three cells, two equal dimensions of variance 1 each: Cov = 1, and two such entries over D = 2.
    z = torch.tensor([[1.0, 1.0], [0.0, 0.0], [-1.0, -1.0]])
    assert vicreg_loss(z, z, var=1e-9).item() == pytest.approx(2 * 1.0, rel=1e-5)


def test_against_the_naive_loop_with_gradients() -> None:
    generator = torch.Generator().manual_seed(0)
    z1 = (0.5 * torch.randn(7, 5, generator=generator)).requires_grad_()
    z2 = (0.5 * torch.randn(7, 5, generator=generator)).requires_grad_()
    got, wanted = vicreg_loss(z1, z2), naive(z1, z2)
    torch.testing.assert_close(got, wanted, atol=1e-5, rtol=1e-5)
    pairs = zip(
        torch.autograd.grad(got, (z1, z2)), torch.autograd.grad(wanted, (z1, z2)), strict=True
    )
    for one, other in pairs:
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)
