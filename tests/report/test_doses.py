import anndata as ad
import numpy as np
import pandas as pd
import pytest

from cellssl.errors import EmbeddingError
from cellssl.report import dose_curve
from cellssl.report.doses import position_curve


@pytest.fixture
def doses():
    """Two compounds: *up* goes to the positive control with its dose, *aside* another way."""
    rng = np.random.default_rng(0)
    wells = [("negative", "DMSO", 0.0)] * 4 + [("positive", "control", 1.0)] * 2
    wells += [("", "up", dose) for dose in (1, 2, 3, 4)]
    wells += [("", "aside", dose) for dose in (1, 2, 3, 4)]
    rows, X = [], []
    for number, (control, compound, dose) in enumerate(wells):
        along = {"positive": 4}.get(control, dose if compound == "up" else 0)
        away = dose if compound == "aside" else 0
        for _ in range(20):
            rows.append(("P", f"{'AB'[number % 2]}{number // 2 + 1:02d}", control, compound, dose))
            X.append(np.array([along, away, 0]) + rng.normal(0, 0.05, 3))
    columns = ["Plate", "Well", "Control", "Compound", "Concentration"]
    obs = pd.DataFrame(rows, columns=[f"Metadata_{name}" for name in columns])
    obs.index = [f"cell{number}" for number in range(len(obs))]
    return ad.AnnData(np.array(X, np.float32), obs=obs)


def lines(figure):
    return {
        line.get_label().split()[0]: line.get_ydata()
        for line in figure.axes[0].lines
        if "ρ" in str(line.get_label())
    }


def test_a_line_for_each_compound(doses, tmp_path):
    found = lines(dose_curve(doses, by="Compound"))
    assert set(found) == {"up", "aside"}
    assert (np.diff(found["up"]) > 0.1).all()
    assert np.ptp(found["aside"]) < 0.2
    doses.write_h5ad(tmp_path / "doses.h5ad")
    again = lines(dose_curve(tmp_path / "doses.h5ad", by="Compound"))
    np.testing.assert_allclose(again["up"], found["up"])


def test_lines_are_compounds_or_else_rows_of_the_plate(doses):
    assert set(lines(dose_curve(doses))) == {"up", "aside"}
    del doses.obs["Metadata_Compound"]
    assert set(lines(dose_curve(doses))) == {"A", "B"}


def test_the_axis_of_doses_has_the_unit_that_the_cells_say(doses):
    def axis():
        return dose_curve(doses).axes[0].get_xlabel()

    assert axis() == "Concentration"
    doses.obs["Metadata_ConcentrationUnit"] = np.where(
        doses.obs["Metadata_Control"] == "", "uM", ""
    )
    assert axis() == "Concentration (µM)"
    doses.obs.loc[doses.obs_names[-1], "Metadata_ConcentrationUnit"] = "nM"
    assert axis() == "Concentration"


def test_of_many_lines_those_are_drawn_that_change_most():
    wells = [(str(line), dose) for line in range(20) for dose in (1, 2, 3)]
    table = pd.DataFrame(wells, columns=["line", "dose"]).assign(control="")
    table["position"] = table["line"].astype(int) * table["dose"]
    figure = position_curve(table, dose="Dose")
    assert set(lines(figure)) == {str(line) for line in range(8, 20)}
    assert "12 of 20: those that change most" in figure.axes[0].get_title("left")


def test_same_well_of_another_plate_has_its_own_compound(doses):
    other = doses.copy()
    other.obs["Metadata_Plate"] = "Q"
    other.obs["Metadata_Compound"] = other.obs["Metadata_Compound"].replace(
        {"up": "aside", "aside": "up"}
    )
    other.obs_names = [f"{name}-Q" for name in other.obs_names]
    both = ad.concat([doses, other])
    found = lines(dose_curve(both, by="Compound"))
    # Each line now is the mean of one well that climbs and one that does not.
    np.testing.assert_allclose(found["up"], found["aside"], atol=0.15)


def test_what_cannot_be_drawn_is_said(doses):
    with pytest.raises(EmbeddingError, match=r"no column called dose .* holds 4 different numbers"):
        dose_curve(ad.AnnData(doses.X, obs=doses.obs.drop(columns="Metadata_Concentration")))
    with pytest.raises(EmbeddingError, match="no well that is not a control"):
        dose_curve(doses[doses.obs["Metadata_Control"] != ""].copy(), dose="Concentration")
    with pytest.raises(EmbeddingError, match="no column 'Compund'; did you mean"):
        dose_curve(doses, by="Compund")


def test_without_positive_controls_the_distance_from_the_negative_ones_is_drawn(doses):
    doses.obs["Metadata_Control"] = doses.obs["Metadata_Control"].replace("positive", "")
    one = doses[doses.obs["Metadata_Compound"] != "control"].copy()
    figure = dose_curve(one, by="Compound")
    assert figure.axes[0].get_ylabel() == "distance from the negative control"
    for line in lines(figure).values():  # the compound that goes another way too
        assert (np.diff(line) > 0).all()
