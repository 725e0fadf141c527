"""The commands of studies, as a user gives them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from cellssl.cli.application import app
from cellssl.cli.study import ends
from cellssl.crops import CropBatch, write_crops

STUDY = """\
name: tiny
question: Do turned cells matter?
protocol: bbbc021-expert
crop: {size: 16, scaling: {per: global}}
training: {method: simclr, width: 0.125, epochs: 1, samples_per_epoch: 16, batch_size: 16, warmup_epochs: 0}
axes: {views: {expert: {}, geometry: {keep: [rotate, flip]}}}
seeds: 3
baselines: [simple-features]
"""


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["study", *map(str, arguments)])


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """A study, 48 cells of two plates and two classes, and a folder for the runs."""
    folder = tmp_path_factory.mktemp("study")
    rng = np.random.default_rng(0)
    images = rng.integers(100, 2000, size=(48, 3, 24, 24), dtype=np.uint16)
    kind = np.arange(48) % 2
    images[kind == 1, 2] += 3000
    plate = np.where(np.arange(48) < 24, "P1", "P2")
    obs = pd.DataFrame(
        {
            "Metadata_Plate": plate,
            "Metadata_Well": [f"{'AB'[i % 2]}{1 + i // 12:02}" for i in range(48)],
            "Metadata_MOA": np.where(kind, "bright", "DMSO"),
            "Metadata_Compound": np.where(kind, "taxol", "DMSO"),
        },
        index=[f"{plate[i]}/1/{i}" for i in range(48)],
    )
    names = ["DAPI", "Tubulin", "Actin"]
    batch = CropBatch(images, None, obs)
    crops = write_crops(folder / "crops.h5ad", [batch], channels=names, size=24, provenance={})
    (folder / "tiny.yaml").write_text(STUDY)
    return folder / "tiny.yaml", crops, folder / "out"


def test_from_plan_to_pairs(files: tuple[Path, Path, Path]) -> None:
    study, crops, out = files
    few = ("--seeds", 2, "--device", "cpu")
    told = run("plan", study, crops, *few).output
    assert "4 runs: 2 combinations, 2 seeds each" in told
    assert "(timed: 2 combinations)" in told
    assert "--label" not in told
    assert told.count("beyond the stored crops") == 1
    assert "need no mirror (expert)" in told.replace("\n", " ")
    done = run("run", study, crops, "-o", out, *few)
    assert done.exit_code == 0, done.output
    assert done.output.count("beyond the stored crops") == 1
    assert done.output.count("takes negative controls for treatments") == 1
    assert done.output.count("scoring against Metadata_MOA (`label:` in") == 1
    assert f"written to {out / 'study.html'}" in done.output.replace("\n", "")
    assert "simple-features" in done.output
    told = run("status", out).output
    assert told.count("finished") == 4
    told = run("report", out, crops, "--baseline", "none", "--device", "cpu").output
    assert "simple-features" not in told
    told = run("complement", out, crops).output
    assert "expert + geometry" in told
    assert "expert, two seeds" in told
    assert "complement_per_class.csv" in told


def test_of_many_classes_those_that_gain_and_lose_most_are_listed() -> None:
    many = pd.DataFrame({"classifier": ["linear"] * 40 + ["knn"] * 5, "gain": np.arange(45) / 45})
    rows = ends(many.sample(frac=1, random_state=0)).index.tolist()
    assert rows == [*range(44, 39, -1), *range(39, 31, -1), *range(7, -1, -1)]


def test_shipped_studies_are_listed() -> None:
    told = run("list").output
    assert all(name in told for name in ("bbbc021-weak", "cifar-amplitudes", "mnist-two-views"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("run", "{study}", "{crops}", "-o", "{none}", "--set", "epochs=3"), "training.KEY=VALUE"),
        (("run", "{study}", "{none}.h5ad", "-o", "{none}"), "none.h5ad"),
        (("plan", "bbbc021-weka", "{crops}"), "did you mean 'bbbc021-weak'"),
        (("status", "{empty}"), "holds no study"),
        (("complement", "{empty}", "{crops}"), "holds no study"),
        (
            ("run", "{study}", "{crops}", "-o", "{none}", "--set", "training.epoch=3"),
            "tiny.yaml:5: training: unknown key 'epoch'",
        ),
    ],
)
def test_mistakes_end_in_one_line(
    files: tuple[Path, Path, Path], tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    study, crops, _ = files
    given = {"study": study, "crops": crops, "none": tmp_path / "none", "empty": tmp_path}
    done = run(*(part.format(**given) for part in arguments))
    assert done.exit_code == 1
    assert said in done.output.replace("\n", " ")
    assert "fault of cellssl" not in done.output
    assert not (tmp_path / "none").exists()
