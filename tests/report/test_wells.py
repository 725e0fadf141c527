import numpy as np
import pandas as pd
import pytest

from cellssl.errors import EmbeddingError
from cellssl.report import plate_heat_map


def drawn(figure):
    """Row, column → number."""
    grid = figure.axes[0].images[0].get_array()
    return {place: float(grid[place]) for place in zip(*np.where(~grid.mask), strict=True)}


@pytest.fixture
def table():
    wells = ["A01"] * 3 + ["B02"] * 2 + ["A01"]
    return pd.DataFrame(
        {
            "Metadata_Plate": ["P"] * 5 + ["Q"],
            "Metadata_Well": wells,
            "Metadata_Control": ["negative"] * 3 + [""] * 3,
            "Area_Nucleus": [1.0, 2.0, 9.0, 4.0, 6.0, 50.0],
            "leiden": pd.Categorical(["0", "0", "1", "1", "1", "0"]),
        }
    )


def test_cells_are_counted(table):
    assert drawn(plate_heat_map(table, plate="P")) == {(0, 0): 3, (1, 1): 2}
    profiles = table.drop_duplicates(["Metadata_Plate", "Metadata_Well"])
    assert drawn(plate_heat_map(profiles.assign(Metadata_Cells=[3, 2, 1]), plate="P")) == {
        (0, 0): 3,
        (1, 1): 2,
    }


def test_a_small_block_is_drawn_on_the_plate_that_others_show():
    block = pd.DataFrame(
        {"Metadata_Plate": "P", "Metadata_Well": [*["A1", "A2", "A3", "B1", "B2", "B3"]]}
    )
    other = pd.DataFrame({"Metadata_Plate": "Q", "Metadata_Well": ["slide 7", "H12"]})

    def shape(table):
        return plate_heat_map(table, plate="P").axes[0].images[0].get_array().shape

    assert shape(block) == (2, 3)
    assert shape(pd.concat([block, other])) == (8, 12)


def test_numbers_are_medians(table):
    assert drawn(plate_heat_map(table, "area_nucleus", plate="P")) == {(0, 0): 2, (1, 1): 5}


def test_shares_of_one_value(table):
    shares = drawn(plate_heat_map(table, "leiden", equals="0", plate="P"))
    assert shares == {(0, 0): pytest.approx(2 / 3), (1, 1): 0}
    assert drawn(plate_heat_map(table, "leiden", equals="1", plate="Q")) == {(0, 0): 0}


def test_embeddings_files_and_crops_are_as_good_as_their_table(embedding, crops, tmp_path):
    embedding.write_h5ad(tmp_path / "embedding.h5ad")
    expected = drawn(plate_heat_map(embedding.obs, plate="P0"))
    assert sum(expected.values()) == (embedding.obs["Metadata_Plate"] == "P0").sum()
    assert drawn(plate_heat_map(embedding, plate="P0")) == expected
    assert drawn(plate_heat_map(crops, plate="P0")) == expected
    assert drawn(plate_heat_map(crops.path, plate="P0")) == expected
    assert drawn(plate_heat_map(tmp_path / "embedding.h5ad", plate="P0")) == expected


def test_controls_are_marked(table):
    texts = [text.get_text() for text in plate_heat_map(table, plate="P").axes[0].texts]
    assert texts.count("−") == 1


def test_one_plate_needs_no_name(table):
    assert drawn(plate_heat_map(table[table["Metadata_Plate"] == "Q"])) == {(0, 0): 1}


@pytest.mark.parametrize(
    ("value", "options", "said"),
    [
        ("cells", {}, "which plate.* P, Q"),
        ("cells", {"plate": "R"}, "no plate 'R'"),
        ("cells", {"plate": "P", "equals": "1"}, "needs a column"),
        ("leiden", {"plate": "Q", "equals": "2"}, "no cell has '2'"),
        ("Metadata_Control", {"plate": "P"}, "no numbers"),
        ("area", {"plate": "P"}, "no column 'area'"),
        ("cells", {"plate": "P", "shape": (1, 1)}, "1 × 1 wells .shape=. has no B02"),
    ],
)
def test_what_cannot_be_drawn_is_said(table, value, options, said):
    with pytest.raises(EmbeddingError, match=said):
        plate_heat_map(table, value, **options)


def test_wells_are_needed(table):
    with pytest.raises(EmbeddingError, match="no wells"):
        plate_heat_map(table.drop(columns="Metadata_Well"), plate="P")
