"""LARS: the factor worked by hand, a naive optimiser, what is left out."""

import math

import pytest
import torch
from torch import nn

from cellssl.training import LARS, TrainingSettings
from cellssl.training.lars import trust_factor
from cellssl.training.optimizers import make_optimizer, set_learning_rate


def test_factor_worked_by_hand() -> None:
    # |w| = 2, |g| = 1, decay 0.5: 0.02 · 2 / (1 + 0.5 · 2) = 0.02, over a rate of 0.1.
    w, g = torch.tensor([2.0]), torch.tensor([1.0])
    got = trust_factor(w, g, trust=0.02, decay=0.5, lr=0.1)
    assert got.item() == pytest.approx(0.2, rel=1e-6)


def test_clipped_at_one() -> None:
    # Trap 7: min(ratio / lr, 1).
    w, g = torch.tensor([100.0]), torch.tensor([0.1])
    assert trust_factor(w, g, trust=0.02, decay=0.0, lr=0.1).item() == 1


@pytest.mark.parametrize(("weight", "gradient"), [(0.0, 1.0), (1.0, 0.0), (0.0, 0.0)])
def test_nothing_to_compare_keeps_one(weight: float, gradient: float) -> None:
    w, g = torch.tensor([weight]), torch.tensor([gradient])
    assert trust_factor(w, g, trust=0.02, decay=0.0, lr=0.0).item() == 1


def naive_step(
    weight: torch.Tensor, gradient: torch.Tensor, memory: torch.Tensor, lr: float, decay: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """One layer by the book; layers of one dimension get plain momentum SGD."""
    update = gradient.clone()
    if weight.ndim > 1:
        ratio = 0.02 * weight.norm() / (gradient.norm() + decay * weight.norm() + 1e-8)
        update = min(float(ratio) / lr, 1.0) * (gradient + decay * weight)
    memory = 0.9 * memory + update
    return weight - lr * memory, memory


def test_against_the_naive_optimiser() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, 3)).double()
    settings = TrainingSettings(optimizer="lars", weight_decay=0.1)
    optimizer = make_optimizer(network, settings)
    wanted = {
        name: (p.detach().clone(), torch.zeros_like(p)) for name, p in network.named_parameters()
    }
    for number in range(5):
        rate = 0.3 * math.cos(number / 4)
        set_learning_rate(optimizer, rate)
        inputs = torch.randn(8, 6, dtype=torch.float64)
        network(inputs).square().mean().backward()
        for name, parameter in network.named_parameters():
            gradient = parameter.grad.clone()
            weight, memory = wanted[name]
            wanted[name] = naive_step(weight, gradient, memory, rate, 0.1)
        optimizer.step()
        optimizer.zero_grad()
        for name, parameter in network.named_parameters():
            torch.testing.assert_close(parameter.detach(), wanted[name][0], atol=1e-6, rtol=1e-6)


def test_biases_and_norms_are_neither_decayed_nor_adapted() -> None:
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4))
    optimizer = make_optimizer(network, TrainingSettings(optimizer="lars", weight_decay=0.1))
    assert isinstance(optimizer, LARS)
    plain = [group for group in optimizer.param_groups if not group["adapt"]]
    assert [p.ndim for group in plain for p in group["params"]] == [1, 1, 1]
    assert [group["weight_decay"] for group in plain] == [0.0]
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    before = [p.detach().clone() for p in network.parameters()]
    set_learning_rate(optimizer, 0.1)
    optimizer.step()
    for parameter, old in zip(network.parameters(), before, strict=True):
        changed = not torch.equal(parameter.detach(), old)
        assert changed == (parameter.ndim > 1)  # decay alone moves a matrix


def test_sgd_has_momentum_and_decays_matrices_alone() -> None:
    matrix, bias = nn.Parameter(torch.ones(2, 2)), nn.Parameter(torch.ones(2))
    network = nn.ParameterList([matrix, bias])
    optimizer = make_optimizer(network, TrainingSettings(optimizer="sgd", weight_decay=0.5))
    set_learning_rate(optimizer, 0.1)
    for _ in range(2):
        matrix.grad, bias.grad = torch.ones(2, 2), torch.ones(2)
        optimizer.step()
    # 1 − 0.1 · 1.5 = 0.85; then the moment is 0.9 · 1.5 + 1 + 0.5 · 0.85 = 2.775
    torch.testing.assert_close(matrix.detach(), torch.full((2, 2), 0.85 - 0.2775))
    torch.testing.assert_close(bias.detach(), torch.full((2,), 1 - 0.1 - 0.19))


def test_state_goes_through_a_checkpoint() -> None:
    parameter = nn.Parameter(torch.ones(2, 2))
    optimizer = LARS([parameter], torch.tensor(0.1))
    parameter.grad = torch.ones(2, 2)
    optimizer.step()
    again = LARS([parameter], torch.tensor(0.1))
    again.load_state_dict(optimizer.state_dict())
    torch.testing.assert_close(
        again.state[parameter]["momentum_buffer"], optimizer.state[parameter]["momentum_buffer"]
    )
