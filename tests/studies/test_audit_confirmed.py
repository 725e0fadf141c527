"""What the audit says of two labels of the same cells, and what a short training then shows.

Every cell has an amount (how bright it is) and a form (round or long), drawn independently. Gain
erases the one and leaves the other.
"""

from itertools import permutations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import spearmanr
from typer.testing import CliRunner

import cellssl
from cellssl.cli.application import app
from cellssl.crops import CropBatch, Crops, label_crops, write_crops
from cellssl.errors import StudyError
from cellssl.protocols import Protocol, from_dict, resolve
from cellssl.scores import knn_accuracy
from cellssl.studies import load_study, rank_settings
from cellssl.studies.audit.ranking import _spearman

SIDE, CELLS = 32, 192
TRAINING = {
    "training.method": "simclr",
    "training.method_options": {"hidden": 64, "dim": 32},
    "training.width": 0.125,
    "training.epochs": 25,
    "training.batch_size": 64,
    "training.warmup_epochs": 0,
    "training.optimizer": "adamw",
    "training.lr": 0.01,
}


@pytest.fixture(scope="module")
def crops(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ellipses of one area, round or long, at any angle, of brightness over a range of 1 to 2.7."""
    rng = np.random.default_rng(0)
    form = np.array(["round", "long"])[np.arange(CELLS) % 2]
    light = np.exp(rng.uniform(0, 1, CELLS))
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE / 2 + 0.5
    images = []
    for kind, brightness in zip(form, light, strict=True):
        angle, stretch = rng.uniform(0, np.pi), 1.45 if kind == "long" else 1.0
        u, v = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
        radius = np.hypot(u / stretch, v * stretch)
        disc = 1 / (1 + np.exp(2 * (radius - 7)))
        # Grain grows with the light: else what is bright were told by its noise, whatever the gain.
        grain = rng.normal(1, 0.1, (SIDE, SIDE))
        images.append(3000 * brightness * (0.01 + disc) * grain)
    plate = np.where(np.arange(CELLS) // 2 % 2, "P1", "P2")
    well = [f"A{1 + i // 4 % 6:02}" for i in range(CELLS)]
    obs = pd.DataFrame(
        {"Metadata_Plate": plate, "Metadata_Well": well, "Metadata_Form": form},
        index=[f"{p}/{w}/1/{i}" for i, (p, w) in enumerate(zip(plate, well, strict=True))],
    )
    pixels = np.clip(np.stack(images)[:, None], 0, 65535).astype(np.uint16)
    path = tmp_path_factory.mktemp("planted") / "crops.h5ad"
    batch = CropBatch(pixels, None, obs)
    write_crops(path, [batch], channels=["DNA"], size=SIDE, provenance={})
    return label_crops(path, path, by="DNA", name="Amount", classes=4)


def protocol(*operations: dict[str, dict[str, float]]) -> Protocol:
    values = {
        "views": [[{"rotate": {"degrees": 180}}, {"flip": {}}, *operations]],
        "crop.size": SIDE,
        "crop.scaling.per": "global",
        "crop.scaling.transform": "linear",
        "channels": ["DNA"],
    }
    return resolve("natural-moco", {**values, **TRAINING})


GAIN = {"stain_gain": {"amplitude": 0.7}}


def test_the_audit_warns_for_one_label_and_not_for_the_other(crops: Path) -> None:
    verdicts = {
        label: cellssl.audit(protocol(GAIN), crops, label=label, cells=CELLS).verdict
        for label in ("Amount", "Form")
    }
    assert verdicts["Amount"][0].startswith("warning: stain_gain")
    assert "brightness of DNA" in verdicts["Amount"][0]
    assert verdicts["Amount"][-1].startswith("warning: whole view")
    assert not any(line.startswith("warning: stain_gain") for line in verdicts["Form"])
    assert not verdicts["Form"][-1].startswith("warning")
    quiet = cellssl.audit(protocol(), crops, label="Amount", cells=CELLS).verdict
    assert not any(line.startswith("warning") for line in quiet)


def test_training_confirms_it(crops: Path, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    found = {
        name: scored(crops, protocol(*operations), tmp_path / name)
        for name, operations in (("gain", [GAIN]), ("geometry", []))
    }
    assert found["geometry"]["Amount"] - found["gain"]["Amount"] > 0.12
    assert found["gain"]["Form"] > 0.95


def scored(crops: Path, chosen: Protocol, out: Path) -> dict[str, float]:
    """Train, embed, and find each label by neighbours on the other plate."""
    cellssl.train(chosen, crops, out, progress=False, device="cpu")
    X = np.asarray(cellssl.embed(crops, out, progress=False, device="cpu").X)
    X = (X - X.mean(axis=0)) / (X.std(axis=0) + 1e-6)
    obs = Crops.open(crops).obs
    plates = obs["Metadata_Plate"].to_numpy(str)
    return {
        label: knn_accuracy(X, values, groups=plates)
        for label in ("Amount", "Form")
        for values in [obs[f"Metadata_{label}"].to_numpy(str)]
    }


def test_each_head_is_blind_to_its_own_views(crops: Path, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    groups = {"gain": {}, "geometry": {"keep": ["rotate", "flip"]}}
    both = from_dict({**protocol(GAIN).to_dict(), "groups": groups})
    run = cellssl.train(both, crops, tmp_path / "run", progress=False, device="cpu")
    moved = {}
    for head in groups:
        found = cellssl.invariances(run, crops, head=head, cells=96)
        assert found.run == f"run:{head}"
        moved[head] = found.operations.set_index("operation")["moved_encoder"]["stain_gain"]
    assert moved["gain"] < 0.7 * moved["geometry"]


STUDY = """\
name: planted
question: Which views leave the amount?
protocol: bbbc021-expert
crop: {size: 32, scaling: {per: global, transform: linear}}
axes:
  views:
    geometry: {keep: [rotate, flip], channels: [DNA]}
    weak gain: {keep: [rotate, flip, stain_gain], channels: [DNA]}
    strong gain:
      keep: [rotate, flip, stain_gain]
      change: {stain_gain: {amplitude: 0.9}}
      channels: [DNA]
    both:
      channels: [DNA]
      groups: {strong: {change: {stain_gain: {amplitude: 0.9}}}, geometry: {keep: [rotate, flip]}}
label: Amount
"""


def test_a_studys_settings_are_ranked_before_training(crops: Path, tmp_path: Path) -> None:
    path, scores, out = (tmp_path / name for name in ("planted.yaml", "scores.csv", "ranked"))
    path.write_text(STUDY)
    made = {"geometry": 0.9, "weak gain": 0.8, "strong gain": 0.6, "both": 0.91}
    rows = [("knn", name, "mean", "all", value) for name, value in made.items()]
    columns = ["metric", "embedding", "seed", "subset", "value"]
    pd.DataFrame(rows, columns=columns).to_csv(scores, index=False)
    command = ["study", "audit", str(path), str(crops), "--scores", str(scores), "-o", str(out)]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    said = " ".join(result.output.split())
    assert "knn: order of 4 settings by the audit against that of training: Spearman" in said
    ranked = pd.read_csv(out / "predicted.csv").set_index("combination")
    assert ranked.index[-1] == "strong gain"
    assert ranked["cost"]["geometry"] < ranked["cost"]["weak gain"] < ranked["cost"]["strong gain"]
    # An encoder with a head for each keeps what either keeps.
    assert ranked["after"]["both"] > ranked["after"]["strong gain"] + 0.05
    agreement = pd.read_csv(out / "agreement.csv").set_index("predictor")
    assert agreement["spearman"]["after"] > 0.7
    assert agreement["p_value"]["after"] >= 2 / 24  # four settings have 24 orders


def test_the_p_value_counts_all_orders() -> None:
    predicted, found = np.array([1.0, 2, 3, 4, 5]), np.array([2.0, 1, 3, 4, 5])
    rho, low, high, p_value = _spearman(predicted, found)
    orders = [spearmanr(predicted, order).statistic for order in permutations(found)]
    assert rho == pytest.approx(0.9)
    assert low <= rho <= high
    assert p_value == pytest.approx(2 * np.mean([one >= rho - 1e-9 for one in orders]))


def test_settings_that_are_all_alike_are_not_correlated() -> None:
    assert np.isnan(_spearman(np.ones(5), np.arange(5.0))).all()
    same = _spearman(np.array([1.0, 2, 3, 4, np.nan]), np.array([1.0, 2, 4, 3, 9]))
    assert same == _spearman(np.arange(1.0, 5), np.array([1.0, 2, 4, 3]))


def test_scores_of_another_study_are_refused(crops: Path, tmp_path: Path) -> None:
    path, scores = tmp_path / "planted.yaml", tmp_path / "scores.csv"
    path.write_text(STUDY)
    scores.write_text("metric,embedding,seed,subset,value\nknn,other,mean,all,0.5\n")
    with pytest.raises(StudyError, match="fewer than 4 of the study's settings"):
        rank_settings(load_study(path), crops, scores=scores, cells=60)
