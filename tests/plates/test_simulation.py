from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cellssl.errors import PlateError
from cellssl.plates import SimulatedPlate, index, read_field, simulate
from cellssl.plates.simulation import PHENOTYPES, TREATMENTS, Treatment, stains
from cellssl.plates.simulation.camera import Camera
from cellssl.plates.simulation.phenotypes import DMSO, morphologies
from cellssl.plates.simulation.tissue import Tissue, grow


@pytest.fixture(scope="module")
def plate(tmp_path_factory: pytest.TempPathFactory) -> SimulatedPlate:
    out = tmp_path_factory.mktemp("simulated")
    return simulate(out, plates=2, wells=6, size=(192, 224), progress=False)


def _tissue(phenotype: str) -> Tissue:
    rng = np.random.default_rng(3)
    treatment = DMSO if phenotype == "control" else _treatment(phenotype)
    return grow(morphologies(treatment, 60, rng), (448, 448), rng)


def _treatment(phenotype: str):
    return next(item for item in TREATMENTS if item.phenotype == phenotype)


def test_simulated_plate_is_indexed_without_a_word(
    plate: SimulatedPlate, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", logger="cellssl"):
        found = index(plate.folder)
    said = [record.getMessage() for record in caplog.records]
    assert said[0].startswith("layout bbbc021")
    assert not [text for text in said if "left out" in text]
    assert len(found.fields) == 12
    assert found.channels == ("DAPI", "Tubulin", "Actin")
    assert found.problems.empty
    assert found.absent == 0
    assert found.fields["Metadata_Batch"].unique().tolist() == ["Week1", "Week2"]
    assert (found.fields["Metadata_Control"] == "negative").sum() == 4
    assert (found.fields["Metadata_MOA"] != "").all()
    field = read_field(found.fields.iloc[0], found.channels)
    assert (field.shape, field.dtype) == ((3, 192, 224), "uint16")
    assert field.max() < 65535
    keys = ["Metadata_Plate", "Metadata_Well", "Metadata_Site"]
    assert len(found.fields.merge(plate.truth, on=keys)) == 12


def test_truth_holds_labels_and_counts(plate: SimulatedPlate) -> None:
    table = pd.read_csv(plate.folder / "truth.csv", dtype={"Metadata_Site": str})
    pd.testing.assert_frame_equal(table, plate.truth)
    for row in table.itertuples():
        nuclei, cells = plate.labels(row.Metadata_Plate, row.Metadata_Well, site=row.Metadata_Site)
        assert nuclei.shape == (192, 224)
        assert nuclei.dtype == np.uint16
        assert set(np.unique(nuclei)) == set(range(row.Cells + 1))
        assert (cells[nuclei > 0] == nuclei[nuclei > 0]).all()
        assert row.Cells_Border <= row.Cells
    with pytest.raises(PlateError, match="no field nowhere/A01/1"):
        plate.labels("nowhere", "A01")


def test_dna_is_bright_where_nuclei_are(plate: SimulatedPlate) -> None:
    row = index(plate.folder).fields.iloc[0]
    field = read_field(row, ("DAPI", "Tubulin")).astype(float)
    nuclei, cells = plate.labels(row["Metadata_Plate"], row["Metadata_Well"])
    assert field[0][nuclei > 0].mean() > 2 * field[0][nuclei == 0].mean()
    assert field[1][cells > 0].mean() > 1.3 * field[1][cells == 0].mean()


def test_same_seed_same_bytes(plate: SimulatedPlate, tmp_path: Path) -> None:
    again = simulate(tmp_path, plates=1, wells=6, size=(192, 224), progress=False)
    files = sorted((tmp_path / "Week1").rglob("*.tif"))
    assert len(files) == 18
    for path in files:
        assert path.read_bytes() == (plate.folder / path.relative_to(tmp_path)).read_bytes()
    other = simulate(tmp_path / "b", plates=1, wells=2, seed=1, size=(128, 128), progress=False)
    assert not {p.name for p in other.folder.rglob("*.tif")} & {p.name for p in files}
    assert again.truth.equals(plate.truth[plate.truth["Metadata_Plate"] == "Week1_21000"])


def test_other_simulation_in_the_folder_is_refused(plate: SimulatedPlate) -> None:
    with pytest.raises(PlateError, match="images of another simulation"):
        simulate(plate.folder, seed=5, progress=False)


@pytest.mark.parametrize(
    "options", [{"wells": 1}, {"plates": 0}, {"sites": 0}, {"size": (64, 384)}, {"density": 3}]
)
def test_bad_settings(tmp_path: Path, options: dict) -> None:
    with pytest.raises(PlateError, match="cannot simulate"):
        simulate(tmp_path, progress=False, **options)


def test_empty_wells_are_fine(tmp_path: Path) -> None:
    empty = simulate(tmp_path, plates=1, wells=2, size=(128, 128), density=0, progress=False)
    assert empty.truth["Cells"].tolist() == [0, 0]
    assert len(index(tmp_path).fields) == 2


def test_every_phenotype_has_two_compounds() -> None:
    for name in PHENOTYPES:
        compounds = {item.compound for item in TREATMENTS if item.phenotype == name}
        assert name == "control" or len(compounds) == 2
    assert all(item.compound.startswith("simulated-") for item in TREATMENTS)
    assert len({item.phenotype for item in TREATMENTS[:4]}) == 4


def test_tissue_is_whole() -> None:
    tissue = _tissue("control")
    assert len(tissue.centres) > 40
    assert (tissue.cells[tissue.nuclei > 0] == tissue.nuclei[tissue.nuclei > 0]).all()
    assert len(tissue.morphology["cell_radius"]) == len(tissue.centres)
    padded = np.pad(tissue.cells, 1)
    touching = (padded[1:] != padded[:-1]) & (padded[1:] > 0) & (padded[:-1] > 0)
    assert touching.any()


def test_phenotypes_do_what_they_say() -> None:
    """Each changes what is said of it, and hardly the mean of the stain in cells."""

    def inside(image: np.ndarray, tissue: Tissue) -> tuple[float, float, float]:
        cells = image[tissue.cells > 0]
        return (
            image[tissue.nuclei > 0].mean() / cells.mean(),
            cells.std() / cells.mean(),
            cells.mean(),
        )

    rng = np.random.default_rng(0)
    control = _tissue("control")
    actin, tubulin = stains.actin(control, rng), stains.tubulin(control, rng)

    moved = _tissue("nuclear-accumulation")
    moved_actin = stains.actin(moved, rng)
    assert inside(moved_actin, moved)[0] > 1.5 * inside(actin, control)[0]
    assert inside(moved_actin, moved)[2] == pytest.approx(inside(actin, control)[2], rel=0.15)

    patchy = _tissue("actin-disruptor")
    assert inside(stains.actin(patchy, rng), patchy)[1] > 1.4 * inside(actin, control)[1]

    collapsed = _tissue("microtubule-destabiliser")
    collapsed_tubulin = stains.tubulin(collapsed, rng)
    fine = [np.abs(np.diff(image)).mean() / image.mean() for image in (collapsed_tubulin, tubulin)]
    assert fine[0] < 0.7 * fine[1]

    large = _tissue("polyploid")
    area = [np.bincount(t.nuclei.ravel())[1:].mean() for t in (large, control)]
    assert area[0] > 1.6 * area[1]
    level = [stains.dna(t, rng)[t.nuclei > 0].mean() for t in (large, control)]
    assert level[0] == pytest.approx(level[1], rel=0.15)


def test_cameras_differ_between_plates() -> None:
    first, second = (Camera.draw(np.random.default_rng(seed)) for seed in (1, 2))
    ideal = np.ones((3, 192, 192), np.float32)
    images = [camera.expose(ideal, 32, np.random.default_rng(0)) for camera in (first, second)]
    means = [image.mean(axis=(1, 2)) for image in images]
    assert np.abs(means[0] / means[1] - 1).max() > 0.1
    flat = images[0][1].astype(float)
    assert flat[48:80, 48:80].mean() > 1.02 * flat[:16, :16].mean()


def test_treatments_of_ones_own_are_a_series_of_doses(tmp_path: Path) -> None:
    doses = [Treatment("mine", dose, "moa", "polyploid", dose / 10) for dose in (0.1, 1.0)]
    simulated = simulate(
        tmp_path, plates=1, wells=6, size=(128, 128), treatments=doses, progress=False
    )
    found = index(simulated.folder).fields.set_index("Metadata_Well")
    assert found["Metadata_Compound"].value_counts().to_dict() == {"mine": 4, "DMSO": 2}
    assert found["Metadata_Concentration"].value_counts().to_dict() == {0.0: 2, 0.1: 2, 1.0: 2}
    truth = simulated.truth.set_index("Metadata_Well")
    strength = truth["Strength"].where(truth["Phenotype"] == "polyploid", 0)
    np.testing.assert_allclose(
        strength, found.loc[strength.index, "Metadata_Concentration"] / 10, atol=1e-12
    )


@pytest.mark.parametrize(
    ("treatments", "said"),
    [([], "no treatments"), ([Treatment("x", 1.0, "m", "green")], "the phenotype 'green'")],
)
def test_treatments_that_nobody_can_draw_are_refused(
    treatments: list[Treatment], said: str, tmp_path: Path
) -> None:
    with pytest.raises(PlateError, match=f"cannot simulate {said}"):
        simulate(tmp_path, treatments=treatments, progress=False)
