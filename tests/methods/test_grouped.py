"""Heads on one encoder: the sum of their losses, each of its own views."""

import pytest
import torch

from cellssl import methods
from cellssl.encoders import build
from cellssl.errors import TrainingError
from cellssl.methods import GroupedMethod


def grouped(name: str, *, divide: bool = False, **options: int) -> GroupedMethod:
    torch.manual_seed(0)
    encoder = build("resnet18", 3, width=0.125)
    heads = {g: methods.build(name, encoder, hidden=16, dim=8, **options) for g in ("a", "b")}
    return GroupedMethod(encoder, heads, divide=divide).double().eval()


@pytest.mark.parametrize("name", methods.names())
def test_losses_of_the_groups_are_summed(name: str) -> None:
    method = grouped(name)
    views = [torch.rand(6, 3, 32, 32, dtype=torch.double) for _ in range(4)]
    first, second = method.heads["a"](*views[:2]), method.heads["b"](*views[2:])
    method.forget_step()
    torch.testing.assert_close(method(*views), first + second)


def test_every_head_teaches_the_one_encoder() -> None:
    method = grouped("simclr")
    views = [torch.rand(6, 3, 32, 32, dtype=torch.double) for _ in range(4)]
    method(*views).backward()
    both = method.encoder.conv1.weight.grad.clone()
    method.zero_grad()
    sum(method.heads[g](*views[i : i + 2]) for i, g in ((0, "a"), (2, "b"))).backward()
    torch.testing.assert_close(both, method.encoder.conv1.weight.grad)
    assert len({id(p) for p in method.parameters()}) == len(list(method.parameters()))


def test_a_branch_learns_from_its_own_group_alone() -> None:
    encoder = build("resnet18", 3, width=0.125, own_stages=1, branches=("a", "b"))
    heads = {g: methods.build("simclr", encoder.branch(g), hidden=16, dim=8) for g in ("a", "b")}
    method = GroupedMethod(encoder, heads).eval()
    views = [torch.rand(6, 3, 32, 32) for _ in range(4)]
    method.heads["a"](*views[:2]).backward()
    assert all(p.grad is not None for p in encoder.shared.parameters())
    assert all(p.grad is not None for p in encoder.own["a"].parameters())
    assert all(p.grad is None for p in encoder.own["b"].parameters())
    method(*views).backward()
    assert all(p.grad is not None for p in encoder.parameters())
    assert method.networks == (heads["a"].encoder, heads["b"].encoder)


def test_queues_hold_the_keys_of_their_own_group() -> None:
    method = grouped("moco", queue=12)
    method.begin(100, 6)
    views = [torch.rand(6, 3, 32, 32, dtype=torch.double) for _ in range(4)]
    before = {name: head.queue.clone() for name, head in method.heads.items()}
    method(*views)
    method.after_step(0, 10)
    for name, head in method.heads.items():
        assert int(head.pointer) == 6
        assert not torch.equal(head.queue[0, :6], before[name][0, :6])
    assert not torch.equal(method.heads["a"].queue[0, :6], method.heads["b"].queue[0, :6])


def test_a_batch_that_cannot_be_divided_is_refused() -> None:
    with pytest.raises(TrainingError, match="multiple of 2"):
        grouped("simclr", divide=True).begin(100, 7)


def test_heads_on_another_encoder_are_refused() -> None:
    one, other = build("resnet18", 3, width=0.125), build("resnet18", 3, width=0.125)
    with pytest.raises(ValueError, match="one encoder"):
        GroupedMethod(one, {"a": methods.build("simclr", other)})
