"""The space of one head of a trained run."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from cellssl import methods
from cellssl.cli.application import app
from cellssl.crops import Crops, Scaling, fit_scaling, scale
from cellssl.embedding import embed
from cellssl.encoders import build
from cellssl.errors import CellsslError, EmbeddingError, ModelError
from cellssl.methods import GroupedMethod, Method

NewRun = Callable[..., Path]
OPTIONS = {"hidden": 16, "dim": 4}
GROUPS = ("expert", "geometry")


def make(name: str, *, groups: tuple[str, ...] = GROUPS, own_stages: int = 0) -> Method:
    """A method of one encoder and a head for each group, after a step's worth of statistics."""
    torch.manual_seed(2)
    branches = groups if own_stages else ()
    encoder = build("resnet18", 2, width=0.125, own_stages=own_stages, branches=branches)
    heads = {group: methods.build(name, encoder.branch(group), **OPTIONS) for group in groups}
    method = GroupedMethod(encoder, heads) if len(heads) > 1 else heads[groups[0]]
    method.begin(60, 10)  # shortens MoCo's queue, as training does
    for head in heads.values():
        head.projector(torch.randn(20, head.encoder.feature_dim))
    return method.eval()


def save(new_run: NewRun, method: Method, **said: object) -> Path:
    """The run folder that training would leave."""
    states = method.state_dict()
    return new_run(
        encoder_state={n[8:]: v for n, v in states.items() if n.startswith("encoder.")},
        method_state={n: v for n, v in states.items() if not n.startswith("encoder.")},
        settings={"seed": 3, "method": method.name, "method_options": OPTIONS},
        **said,
    )


def images_of(crops: Crops) -> torch.Tensor:
    low, high = fit_scaling(crops, Scaling()).bounds(crops)
    return torch.from_numpy(scale(crops.read(), low, high, transform="linear")[:, :, 4:20, 4:20])


@pytest.mark.parametrize("name", methods.names())
def test_a_head_gives_the_space_that_its_loss_compares_in(
    name: str, crops: Crops, new_run: NewRun
) -> None:
    method = make(name)
    run = save(new_run, method)
    one, other = (embed(crops, run, head=group) for group in GROUPS)
    with torch.inference_mode():
        features = method.encoder(images_of(crops))
        z = method.heads["expert"].projector(features)
    if name in ("simclr", "moco", "byol"):  # the cosine is all that their losses see
        z = z / z.norm(dim=1, keepdim=True)
    np.testing.assert_allclose(one.X, z.numpy(), rtol=1e-4, atol=1e-5)
    assert one.shape == other.shape == (60, 4)
    assert not np.allclose(one.X, other.X, atol=1e-2)
    np.testing.assert_allclose(embed(crops, run).X, features.numpy(), rtol=1e-4, atol=1e-5)


def test_a_head_lies_on_its_own_branch(crops: Crops, new_run: NewRun) -> None:
    method = make("vicreg", own_stages=1)
    run = save(new_run, method, encoder=method.encoder.describe())
    with torch.inference_mode():
        branch = method.encoder.branch("geometry")(images_of(crops))
        z = method.heads["geometry"].projector(branch)
    np.testing.assert_allclose(embed(crops, run, head="geometry").X, z, rtol=1e-4, atol=1e-5)
    whole = embed(crops, run).X
    assert whole.shape == (60, 128)
    np.testing.assert_allclose(whole[:, 64:], branch, rtol=1e-4, atol=1e-5)


def test_the_head_is_told_in_name_and_provenance(crops: Crops, new_run: NewRun) -> None:
    run = save(new_run, make("simclr"))
    embedding = embed(crops, run, head="geometry")
    about = embedding.uns["cellssl"]
    assert (about["name"], about["head"]) == ("other-run:geometry", "geometry")
    assert about["encoder"]["feature_dim"] == 64
    assert list(embedding.var_names) == [f"feature_{i}" for i in range(4)]
    assert "head" not in embed(crops, run).uns["cellssl"]


def test_a_run_without_groups_has_one_head(crops: Crops, new_run: NewRun) -> None:
    method = make("moco", groups=("alone",))
    run = save(new_run, method)
    embedding = embed(crops, run, head="projection")
    with torch.inference_mode():
        z = method.projector(method.encoder(images_of(crops)))
        expected = z / z.norm(dim=1, keepdim=True)
    np.testing.assert_allclose(embedding.X, expected.numpy(), rtol=1e-4, atol=1e-5)
    with pytest.raises(ModelError, match=r"no head 'expert'\. Heads: projection;"):
        embed(crops, run, head="expert")


def test_an_unknown_head_names_those_there_are(crops: Crops, new_run: NewRun) -> None:
    run = save(new_run, make("simclr"))
    with pytest.raises(ModelError, match=r"no head 'exprt'.*'expert'\? Heads: expert, geometry"):
        embed(crops, run, head="exprt")


def test_heads_that_are_not_there_are_told(crops: Crops, run_folder: Path) -> None:
    with pytest.raises(ModelError, match=r"Heads: \(none\)"):
        embed(crops, run_folder, head="projection")
    with pytest.raises(EmbeddingError, match="takes no head"):
        embed(crops, "random", head="projection")


def test_a_head_on_the_command_line(crops: Crops, new_run: NewRun, tmp_path: Path) -> None:
    run, out = save(new_run, make("simclr")), tmp_path / "e.h5ad"
    command = ["embed", str(crops.path), "-m", str(run), "--head", "expert", "-o", str(out)]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    assert "60 cells, 4 features" in result.output
    twice = CliRunner().invoke(app, [*command, "-m", "random"])
    assert isinstance(twice.exception, SystemExit | CellsslError)
    assert "--head goes with one run" in twice.output
