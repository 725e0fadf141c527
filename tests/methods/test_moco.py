"""MoCo v2: the loss, the queue, the moving average."""

import logging
import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from cellssl import encoders, methods
from cellssl.errors import TrainingError
from cellssl.methods import MoCo, info_nce_loss
from cellssl.methods.averaging import momentum_at

from .examples import batch_of


def naive_info_nce(q: Tensor, k: Tensor, queue: Tensor, temperature: float) -> Tensor:
    """Equation 1 of He et al., term by term."""
    losses = []
    for one, key in zip(q, k, strict=True):
        one, key = one / one.norm(), key / key.norm()
        match = torch.exp(one @ key / temperature)
        others = sum(torch.exp(one @ old / temperature) for old in queue)
        losses.append(-torch.log(match / (match + others)))
    return torch.stack(losses).mean()


def make_moco(**options: object) -> MoCo:
    torch.manual_seed(0)
    encoder = encoders.build("resnet18", 2, width=0.125)
    method = methods.build("moco", encoder, **{"hidden": 16, "dim": 8, "queue": 32, **options})
    assert isinstance(method, MoCo)
    return method


def test_worked_by_hand() -> None:
    # The key is the query (cosine 1), both negatives are at right angles (cosine 0).
    q, queue = torch.tensor([[2.0, 0, 0]]), torch.eye(3)[1:]
    got = info_nce_loss(q, q, queue, temperature=0.5)
    assert got.item() == pytest.approx(math.log(1 + 2 * math.exp(-2)), rel=1e-5)


def test_against_the_naive_loop_with_gradients() -> None:
    generator = torch.Generator().manual_seed(0)
    q = torch.randn(6, 5, generator=generator, requires_grad=True)
    k = torch.randn(6, 5, generator=generator)
    queue = functional.normalize(torch.randn(11, 5, generator=generator), dim=1)
    got, wanted = info_nce_loss(q, k, queue), naive_info_nce(q, k, queue, 0.2)
    torch.testing.assert_close(got, wanted, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(
        torch.autograd.grad(got, q)[0], torch.autograd.grad(wanted, q)[0], atol=1e-5, rtol=1e-5
    )


def test_keys_get_no_gradient() -> None:
    method = make_moco()
    method.loss(*batch_of(4)).backward()
    for name, parameter in method.named_parameters():
        assert (parameter.grad is None) == name.startswith("key_"), name


def test_the_queue_does_not_hold_the_current_keys() -> None:
    # Trap 2: else every positive would be a negative too, and the loss could not fall below log 2.
    method = make_moco()
    before = method.queue.clone()
    loss = method.loss(*batch_of(8))
    assert torch.equal(method.queue, before)
    with torch.no_grad():
        keys = functional.normalize(method.key_projector(method.key_encoder(batch_of(8)[1])), dim=1)
        queries = method.projector(method.encoder(batch_of(8)[0]))
    torch.testing.assert_close(loss.detach(), info_nce_loss(queries, keys, before[0]))
    method.after_step(0, 10)
    torch.testing.assert_close(method.queue[0, :8], keys)
    assert torch.equal(method.queue[0, 8:], before[0, 8:])
    assert method.pointer.item() == 8


def test_the_oldest_keys_leave_first() -> None:
    method = make_moco(queue=8)
    for step in range(3):
        method.loss(*batch_of(4, seed=step))
        method.after_step(step, 10)
        if step == 0:
            first = method.queue[0, :4].clone()
        if step == 1:
            second = method.queue[0, 4:].clone()
            assert torch.equal(method.queue[0, :4], first)
    assert not torch.equal(method.queue[0, :4], first)
    assert torch.equal(method.queue[0, 4:], second)
    assert method.pointer.item() == 4


@pytest.mark.parametrize(
    ("asked", "samples", "batch", "kept"),
    [(4096, 1000, 256, 768), (4096, 100, 100, 100), (500, 10**6, 256, 256), (512, 10**6, 256, 512)],
)
def test_the_queue_is_shortened_with_a_notice(
    asked: int, samples: int, batch: int, kept: int, caplog: pytest.LogCaptureFixture
) -> None:
    method = make_moco(queue=asked)
    with caplog.at_level(logging.INFO):
        method.begin(samples, batch)
    assert method.queue.shape == (1, kept, 8)
    assert ("shortened" in caplog.text) == (kept < asked)


def test_a_queue_shorter_than_the_batch() -> None:
    with pytest.raises(
        TrainingError, match="queue of 32 keys is shorter than the 64 cells of a step"
    ):
        make_moco().begin(1000, 64)


def test_the_momentum_encoder_follows_and_nothing_else_does() -> None:
    method = make_moco(momentum=0.9, final_momentum=0.9)
    asking = torch.nn.ModuleList([method.encoder, method.projector])
    answering = torch.nn.ModuleList([method.key_encoder, method.key_projector])
    old = [p.clone() for p in answering.parameters()]
    with torch.no_grad():
        for parameter in asking.parameters():
            parameter.add_(1)
    new = [p.clone() for p in asking.parameters()]
    method.after_step(0, 10)
    for average, before, online in zip(answering.parameters(), old, new, strict=True):
        torch.testing.assert_close(average, 0.9 * before + 0.1 * online)
    for parameter, before in zip(asking.parameters(), new, strict=True):
        assert torch.equal(parameter, before)


def test_momentum_is_a_cosine_of_the_global_step() -> None:
    def at(step: int | Tensor) -> float:
        return momentum_at(step, 100, start=0.99, end=0.999).item()

    assert at(0) == pytest.approx(0.99)
    assert at(50) == pytest.approx(0.9945)
    assert at(100) == pytest.approx(0.999)
    assert at(torch.tensor(25)) == pytest.approx(0.999 - 0.009 * (math.cos(math.pi / 4) + 1) / 2)


def test_symmetric_averages_both_directions_with_a_queue_each() -> None:
    method = make_moco(symmetric=True)
    assert method.queue.shape == (2, 32, 8)
    first, second = batch_of(4)
    loss = method.loss(first, second)
    with torch.no_grad():
        q1, q2 = (method.projector(method.encoder(v)) for v in (first, second))
        k1, k2 = (method.key_projector(method.key_encoder(v)) for v in (first, second))
    wanted = (info_nce_loss(q1, k2, method.queue[0]) + info_nce_loss(q2, k1, method.queue[1])) / 2
    torch.testing.assert_close(loss.detach(), wanted)
    method.after_step(0, 10)
    torch.testing.assert_close(method.queue[0, :4], functional.normalize(k2, dim=1))
    torch.testing.assert_close(method.queue[1, :4], functional.normalize(k1, dim=1))


def test_loss_and_queue_stay_float32_under_autocast() -> None:
    method = make_moco()
    with torch.autocast("cpu", torch.bfloat16):
        loss = method.loss(*batch_of(4))
        method.after_step(0, 10)
    assert loss.dtype == method.queue.dtype == torch.float32


def test_state_holds_queue_and_pointer() -> None:
    # Trap 11.
    assert {"queue", "pointer"} <= set(make_moco().state_dict())


def test_small_views_are_compared_with_both_large_ones_and_leave_no_keys() -> None:
    method = make_moco()
    first, second = batch_of(4)
    small = first[..., 2:-2, 2:-2]
    with torch.no_grad():
        wanted = torch.stack(
            [method.loss(a, b) for a, b in ((first, second), (small, first), (small, second))]
        ).mean()
        method._new_keys.clear()
        torch.testing.assert_close(method(first, second, small), wanted)
    assert len(method._new_keys) == 1
    method.after_step(0, 10)
    assert int(method.pointer) == 4
