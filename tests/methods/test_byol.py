"""BYOL: the loss, its sum over directions, the target that follows."""

import pytest
import torch
from torch import Tensor

from cellssl import encoders, methods
from cellssl.methods import BYOL, byol_loss

from .examples import batch_of


def make_byol(**options: object) -> BYOL:
    torch.manual_seed(0)
    encoder = encoders.build("resnet18", 2, width=0.125)
    options = {"hidden": 16, "dim": 8, "predictor_hidden": 16, **options}
    method = methods.build("byol", encoder, **options)
    assert isinstance(method, BYOL)
    return method


def test_worked_by_hand() -> None:
    p = torch.tensor([[2.0, 0.0], [1.0, 1.0]])
    z = torch.tensor([[5.0, 0.0], [1.0, -1.0]])  # same direction; right angle
    assert byol_loss(p, z).item() == pytest.approx((0 + 2) / 2)
    assert byol_loss(p, -p).item() == pytest.approx(4)


def test_against_the_squared_distance_of_unit_vectors() -> None:
    p = torch.randn(6, 5, generator=torch.Generator().manual_seed(0), requires_grad=True)
    z = torch.randn(6, 5, generator=torch.Generator().manual_seed(1), requires_grad=True)
    unit = [row / row.norm() for row in p], [row / row.norm() for row in z.detach()]
    wanted = torch.stack([(a - b).square().sum() for a, b in zip(*unit, strict=True)]).mean()
    got = byol_loss(p, z)
    torch.testing.assert_close(got, wanted, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(
        torch.autograd.grad(got, p, retain_graph=True)[0],
        torch.autograd.grad(wanted, p)[0],
        atol=1e-5,
        rtol=1e-5,
    )
    assert torch.autograd.grad(got, z, allow_unused=True)[0] is None


def test_both_directions_are_summed() -> None:
    # Trap 5.
    method = make_byol().eval()
    first, second = batch_of(4)

    def predict(view: Tensor) -> Tensor:
        return method.predictor(method.projector(method.encoder(view)))

    def target(view: Tensor) -> Tensor:
        return method.target_projector(method.target_encoder(view))

    wanted = byol_loss(predict(first), target(second)) + byol_loss(predict(second), target(first))
    torch.testing.assert_close(method.loss(first, second), wanted)


def test_gradients_reach_the_online_network_only() -> None:
    method = make_byol()
    method.loss(*batch_of(4)).backward()
    for part in (method.encoder, method.projector, method.predictor):
        assert all(p.grad is not None for p in part.parameters())
    for part in (method.target_encoder, method.target_projector):
        assert all(p.grad is None and not p.requires_grad for p in part.parameters())


def test_the_target_follows_by_a_momentum_of_the_global_step() -> None:
    # Trap 11: from 0.99 to 1, where the target stands still.
    for step, momentum in ((0, 0.99), (5, 0.995), (10, 1.0)):
        method = make_byol()
        online = torch.nn.ModuleList([method.encoder, method.projector])
        target = torch.nn.ModuleList([method.target_encoder, method.target_projector])
        with torch.no_grad():
            for parameter in online.parameters():
                parameter.add_(1)
        before = [p.clone() for p in target.parameters()]
        method.after_step(torch.tensor(step), 10)
        for average, old, new in zip(target.parameters(), before, online.parameters(), strict=True):
            torch.testing.assert_close(average, momentum * old + (1 - momentum) * new)


def test_the_kept_encoder_is_the_one_that_learns() -> None:
    # Trap 6.
    method = make_byol()
    assert method.encoder is not method.target_encoder
    assert all(p.requires_grad for p in method.encoder.parameters())
