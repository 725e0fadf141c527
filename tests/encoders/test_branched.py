"""An encoder with branches: what is shared, what is each one's own, and that it is built again."""

import pytest
import torch
from torch import Tensor

from cellssl.encoders import BranchedEncoder, build, rebuild
from cellssl.errors import ModelError

BRANCHES = ("expert", "geometry")


def branched(name: str = "resnet18", own_stages: int = 1) -> BranchedEncoder:
    torch.manual_seed(0)
    encoder = build(name, 2, width=0.125, own_stages=own_stages, branches=BRANCHES)
    assert isinstance(encoder, BranchedEncoder)
    return encoder.eval()


def images() -> Tensor:
    return torch.rand(3, 2, 64, 64, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("own_stages", [1, 4])
@pytest.mark.parametrize("name", ["resnet18", "resnet50", "vgg13", "vgg11_bn"])
def test_a_branch_is_a_whole_network(name: str, own_stages: int) -> None:
    encoder = branched(name, own_stages)
    plain = build(name, 2, width=0.125).eval()
    branch = encoder.branch("geometry")
    plain.load_state_dict(dict(zip(plain.state_dict(), branch.state_dict().values(), strict=True)))
    with torch.inference_mode():
        torch.testing.assert_close(branch(images()), plain(images()))
    assert branch.describe() == plain.describe()


@pytest.mark.parametrize("own_stages", [1, 2, 3, 4])
def test_features_of_all_branches_stand_side_by_side(own_stages: int) -> None:
    encoder = branched(own_stages=own_stages)
    with torch.inference_mode():
        each = [encoder.branch(name)(images()) for name in BRANCHES]
        torch.testing.assert_close(encoder(images()), torch.cat(each, dim=1))
    assert encoder.feature_dim == sum(part.shape[1] for part in each) == 128
    assert not torch.allclose(*each)
    one, other = (set(encoder.branch(name).parameters()) for name in BRANCHES)
    own = [len(list(stage.parameters())) for stage in encoder.own["expert"]]
    assert len(own) == own_stages
    assert len(one - other) == sum(own)
    assert one | other == set(encoder.parameters())


def test_it_is_built_again_from_its_description() -> None:
    encoder = branched()
    again = rebuild(encoder.describe()).eval()
    again.load_state_dict(encoder.state_dict())
    with torch.inference_mode():
        torch.testing.assert_close(again(images()), encoder(images()))


@pytest.mark.parametrize(
    ("own_stages", "branches", "message"),
    [
        (5, BRANCHES, "own_stages must be 0 to 4, got 5"),
        (1, (), r"branches \(none\): name two"),
        (1, ("one", "one"), "branches one, one: name two"),
        (0, BRANCHES, "and none where it has not"),
    ],
)
def test_branches_that_cannot_be_are_refused(
    own_stages: int, branches: tuple[str, ...], message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        build("resnet18", 2, own_stages=own_stages, branches=branches)
