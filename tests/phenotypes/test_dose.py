import anndata as ad
import numpy as np
import pandas as pd
import pytest

from cellssl.errors import EmbeddingError
from cellssl.phenotypes import (
    choose_dose,
    correlate_doses,
    dose_positions,
    dose_title,
    well_profiles,
)


@pytest.fixture
def plate():
    """Rows A and B of a plate: two negative controls, doses 1 to 4, two positive controls each."""
    rng = np.random.default_rng(0)
    doses, controls = [0, 0, 1, 2, 3, 4, 5, 5], ["negative"] * 2 + [""] * 4 + ["positive"] * 2
    rows = [
        ("P", f"{row}{column:02}", dose, control)
        for row in "AB"
        for column, (dose, control) in enumerate(zip(doses, controls, strict=True), 1)
        for _ in range(40)
    ]
    obs = pd.DataFrame(
        rows, columns=["Metadata_Plate", "Metadata_Well", "Metadata_Dose", "Metadata_Control"]
    )
    obs.index = obs.index.astype(str)
    X = rng.normal(size=(len(obs), 4)).astype(np.float32)
    X[:, 0] += 6 * obs["Metadata_Dose"].to_numpy()
    return ad.AnnData(X, obs=obs)


def test_wells_lie_in_the_order_of_their_doses(plate):
    positions = dose_positions(plate, "Metadata_Dose")
    assert len(positions) == 16
    by_control = positions.groupby("control")["position"].mean()
    assert by_control["negative"] == pytest.approx(0, abs=1e-9)
    assert by_control["positive"] == pytest.approx(1, abs=1e-9)
    found = correlate_doses(positions).set_index("line")
    assert (found["spearman"] > 0.9).all()
    assert found["wells"].to_dict() == {"A": 4, "B": 4, "all": 8}


def test_the_column_of_controls_may_be_named_without_its_prefix(plate):
    expected = dose_positions(plate, "Metadata_Dose")
    assert dose_positions(plate, "Metadata_Dose", control="Control").equals(expected)


def test_doses_are_compared_along_compounds_where_there_are_several(plate):
    column = plate.obs["Metadata_Well"].str[1:].astype(int)
    plate.obs["Metadata_Compound"] = np.where(column % 2, "odd", "even")
    found = correlate_doses(dose_positions(plate, "Metadata_Dose")).set_index("line")
    assert found["wells"].to_dict() == {"even": 4, "odd": 4, "all": 8}
    plate.obs["Metadata_Compound"] = "one"
    assert set(dose_positions(plate, "Metadata_Dose")["line"]) == {"A", "B"}


def test_shuffled_doses_do_not_correlate(plate):
    positions = dose_positions(plate, "Metadata_Dose")
    rng = np.random.default_rng(1)
    found = []
    for _ in range(50):
        positions["dose"] = rng.permutation(positions["dose"])
        found.append(correlate_doses(positions)["spearman"].iloc[-1])
    assert abs(np.mean(found)) < 0.15


def test_the_column_of_doses_is_found(plate):
    assert choose_dose(plate.obs) == "Metadata_Dose"
    assert choose_dose(plate.obs, "dose") == "Metadata_Dose"
    assert choose_dose(plate.obs.drop(columns="Metadata_Dose")) is None
    dose = plate.obs["Metadata_Dose"].astype(int)
    plate.obs["Metadata_Compound"] = dose.map("compound {}".format)  # each at one dose: no series
    assert choose_dose(plate.obs) is None
    assert choose_dose(plate.obs, "dose") == "Metadata_Dose"
    plate.obs["Metadata_Compound"] = (dose // 2).map("compound {}".format)
    assert choose_dose(plate.obs) == "Metadata_Dose"
    with pytest.raises(EmbeddingError, match="Dosis"):
        choose_dose(plate.obs, "Dosis")
    with pytest.raises(EmbeddingError, match="Metadata_Compound holds no numbers, which doses are"):
        choose_dose(plate.obs, "Compound")


def test_without_positive_controls_wells_lie_at_their_distance_from_the_negative_ones(plate):
    plate.obs["Metadata_Control"] = plate.obs["Metadata_Control"].replace("positive", "")
    plate.X[:, 0] *= -1  # away from the control, in whatever direction
    table = dose_positions(plate, "Metadata_Dose")
    means = table[table["control"] == ""].groupby("dose")["position"].mean()
    assert (means.diff().dropna() > 0).all()
    assert means.iloc[-1] > 2
    made = well_profiles(plate, plate.obs["Metadata_Well"].to_numpy(dtype=str))
    one = np.sqrt((made.null**2).sum(axis=1).mean())
    assert table["position"].max() == pytest.approx(
        np.linalg.norm(made.profiles, axis=1).max() / one
    )


def test_doses_need_negative_controls_two_on_some_plate(plate):
    kinds = plate.obs["Metadata_Control"]
    plate.obs["Metadata_Control"] = kinds.replace("negative", "")
    with pytest.raises(EmbeddingError, match="no cell is a negative control"):
        dose_positions(plate, "Metadata_Dose")
    plate.obs["Metadata_Control"] = np.where(plate.obs["Metadata_Well"] == "A01", "negative", "")
    with pytest.raises(EmbeddingError, match="no plate has two wells of negative controls"):
        dose_positions(plate, "Metadata_Dose")


@pytest.mark.parametrize(
    ("unit", "shown"),
    [("uM", "µM"), ("ug/mL", "µg/mL"), ("umol", "µmol"), ("hours", "hours"), ("units", "units")],
)
def test_a_letter_u_is_micro_before_a_unit_alone(unit, shown):
    cells = pd.DataFrame({"Metadata_Dose": [1.0], "Metadata_DoseUnit": [unit]})
    assert dose_title(cells, "Metadata_Dose") == f"Dose ({shown})"


def test_a_unit_that_not_all_doses_name_is_not_shown_for_all(caplog):
    cells = pd.DataFrame({"Metadata_Dose": [0.0, 1.0, 2.0], "Metadata_DoseUnit": ["", "uM", "uM"]})
    assert dose_title(cells, "Metadata_Dose") == "Dose (µM)"
    joined = pd.concat([cells, cells.assign(Metadata_DoseUnit="")])
    assert dose_title(joined, "Metadata_Dose") == "Dose"
    assert "some doses in Dose are said in no unit and µM" in caplog.text
