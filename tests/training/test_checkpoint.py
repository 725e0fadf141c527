"""Checkpoints: read safely, refused clearly."""

import pickle
from pathlib import Path
from types import ModuleType

import pytest
import torch

from cellssl.errors import ModelError
from cellssl.state_dict import load_state
from cellssl.training import load_checkpoint
from cellssl.training.checkpoint import differences


@pytest.fixture(scope="module")
def folder(tiny: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.train(tmp_path_factory.mktemp("run"), tiny.tiny_settings(epochs=1))


def test_it_holds_what_the_design_says(folder: Path, tiny: ModuleType) -> None:
    checkpoint = load_checkpoint(folder)
    assert checkpoint["encoder"] == {
        "name": "tiny",
        "in_channels": 2,
        "width": 1.0,
        "stem": "imagenet",
        "feature_dim": 8,
    }
    assert (checkpoint["epoch"], checkpoint["step"], checkpoint["finished"]) == (1, 5, True)
    assert checkpoint["channels"] == ["DNA", "Actin"]
    assert checkpoint["settings"] == tiny.tiny_settings(epochs=1).model_dump(mode="json")
    assert set(checkpoint["encoder_state"]) == set(tiny.TinyEncoder().state_dict())
    assert all(name.startswith("projector.") for name in checkpoint["method_state"])


def test_its_weights_go_into_a_new_encoder(folder: Path, tiny: ModuleType) -> None:
    encoder, state = tiny.TinyEncoder(), load_checkpoint(folder)["encoder_state"]
    load_state(encoder, state, source="it")
    assert all(torch.equal(value, state[name]) for name, value in encoder.state_dict().items())


def test_another_network_is_named_with_what_differs(folder: Path, tiny: ModuleType) -> None:
    state = load_checkpoint(folder)["encoder_state"]
    with pytest.raises(ModelError, match=r"another shape \(convolution.weight \(8, 2, 3, 3\) inst"):
        load_state(tiny.TinyEncoder(features=4), state, source="it")
    encoder = tiny.TinyEncoder()
    before = encoder.convolution.weight.clone()
    state["extra.weight"] = state.pop("norm.weight")
    with pytest.raises(ModelError, match=r"missing \(norm.weight\); 1 unexpected \(extra.weight\)"):
        load_state(encoder, state, source="it")
    assert torch.equal(encoder.convolution.weight, before)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no checkpoint at .*give a run folder"):
        load_checkpoint(tmp_path)


class Bomb:
    """Runs code when unpickled."""

    def __reduce__(self) -> tuple:
        return (Path.touch, (Path("exploded"),))


@pytest.mark.parametrize("kind", ["bare", "torch"])
def test_a_pickle_is_not_loaded(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "checkpoint.pt"
    if kind == "bare":
        path.write_bytes(pickle.dumps(Bomb()))
    else:
        torch.save({"encoder_state": Bomb()}, path)
    with pytest.raises(ModelError, match=r"pickle.*was not loaded"):
        load_checkpoint(path)
    assert not Path("exploded").exists()


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_a_truncated_file(share: float, folder: Path, tmp_path: Path) -> None:
    whole = (folder / "checkpoint.pt").read_bytes()
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ModelError, match="truncated"):
        load_checkpoint(path)


def test_damaged_in_the_middle(folder: Path, tmp_path: Path) -> None:
    content = bytearray((folder / "checkpoint.pt").read_bytes())
    start = content.find(b"data.pkl") + 100
    content[start : start + 200] = bytes(200)
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"cannot be read|was not loaded"):
        load_checkpoint(path)


def test_other_files(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("hello")
    with pytest.raises(ModelError, match="not a checkpoint of cellssl"):
        load_checkpoint(text)
    weights = tmp_path / "resnet.pth"
    for content in ({"conv1.weight": torch.zeros(2)}, [1, 2]):
        torch.save(content, weights)
        with pytest.raises(ModelError, match=r"no checkpoint.* lacks cellssl, encoder.*--weights"):
            load_checkpoint(weights)


def test_differences_are_listed_by_path() -> None:
    there = {"settings": {"lr": 0.1, "seed": 0}, "views": [{"p": 0.5}], "channels": ["DNA"]}
    now = {
        "settings": {"lr": 0.2, "seed": 0},
        "views": [{"p": 1}],
        "channels": ["DNA", "Actin"],
        "protocol": "x",
    }
    assert list(differences(there, now)) == [
        "settings.lr: 0.1 there, 0.2 now",
        "views.0.p: 0.5 there, 1 now",
        "channels: ['DNA'] there, ['DNA', 'Actin'] now",
        "protocol: nothing there, 'x' now",
    ]
