"""Barlow Twins: hand-worked values, a naive loop, and the traps of its normalisation and scale."""

import pytest
import torch
from torch import Tensor, nn

from cellssl import encoders, methods
from cellssl.errors import TrainingError
from cellssl.methods import barlow_twins_loss


def naive(z1: Tensor, z2: Tensor, off_diagonal: float, scale: float) -> Tensor:
    """Equation 1 of Zbontar et al., entry by entry, normalised by a batch norm without affine."""
    norm = nn.BatchNorm1d(z1.shape[1], affine=False, dtype=z1.dtype)
    a, b = norm(z1), norm(z2)
    total = torch.zeros((), dtype=z1.dtype)
    for i in range(z1.shape[1]):
        for j in range(z1.shape[1]):
            c = (a[:, i] * b[:, j]).sum() / len(a)
            total = total + ((1 - c) ** 2 if i == j else off_diagonal * c**2)
    return scale * total


def test_worked_by_hand() -> None:
    # Two uncorrelated dimensions of variance 1; the second view is the first, then its mirror.
    z = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    assert barlow_twins_loss(z, z).item() == pytest.approx(0, abs=1e-8)
    assert barlow_twins_loss(z, -z, scale=1.0).item() == pytest.approx(2 * 2.0**2, rel=1e-4)
    # Both dimensions of view 2 are the first of view 1: C = [[1, 1], [0, 0]].
    both = z[:, :1].expand(-1, 2)
    got = barlow_twins_loss(z, both, off_diagonal=0.3, scale=0.5)
    assert got.item() == pytest.approx(0.5 * (1 + 0.3), rel=1e-4)


def test_against_the_naive_loop_with_gradients() -> None:
    generator = torch.Generator().manual_seed(0)
    z1 = torch.randn(9, 5, generator=generator, requires_grad=True)
    z2 = torch.randn(9, 5, generator=generator, requires_grad=True)
    got, wanted = barlow_twins_loss(z1, z2), naive(z1, z2, 0.0051, 0.1)
    torch.testing.assert_close(got, wanted, atol=1e-5, rtol=1e-5)
    pairs = zip(
        torch.autograd.grad(got, (z1, z2)), torch.autograd.grad(wanted, (z1, z2)), strict=True
    )
    for one, other in pairs:
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


def test_size_and_place_of_a_dimension_do_not_count() -> None:
    z1, z2 = torch.randn(2, 16, 4, generator=torch.Generator().manual_seed(1)).unbind()
    scaled = z1 * torch.tensor([0.5, 2, 10, 30]) + 3
    torch.testing.assert_close(
        barlow_twins_loss(scaled, z2), barlow_twins_loss(z1, z2), atol=1e-4, rtol=1e-4
    )


def test_the_normalisation_has_nothing_to_learn() -> None:
    # Trap 12: affine norms belong to the hidden layers only.
    method = methods.build(
        "barlow_twins", encoders.build("resnet18", 1, width=0.125), hidden=16, dim=8
    )
    kinds = [type(layer) for layer in method.projector]
    assert kinds == [
        *(nn.Linear, nn.BatchNorm1d, nn.ReLU),
        *(nn.Linear, nn.BatchNorm1d, nn.ReLU),
        nn.Linear,
    ]


def test_scale_is_a_factor() -> None:
    # Trap 8: 0.1 belongs to the projector of 2048; the factor can be said.
    z1, z2 = torch.randn(2, 16, 4, generator=torch.Generator().manual_seed(1)).unbind()
    ratio = barlow_twins_loss(z1, z2, scale=0.4) / barlow_twins_loss(z1, z2)
    assert ratio.item() == pytest.approx(4)


def test_one_cell_is_not_enough() -> None:
    with pytest.raises(TrainingError, match="at least 2 cells"):
        barlow_twins_loss(torch.zeros(1, 4), torch.zeros(1, 4))
