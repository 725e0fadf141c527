"""A sample takes its cells evenly from the wells, and the same ones for every embedding."""

import numpy as np
import pandas as pd
import pytest

from cellssl.errors import EmbeddingError
from cellssl.sampling import chosen_cells, sample_wells


def _cells(**wells: int) -> pd.DataFrame:
    names = [name for name, n in wells.items() for _ in range(n)]
    return pd.DataFrame({"Metadata_Plate": "P", "Metadata_Well": names})


def test_wells_give_equally_as_far_as_they_can() -> None:
    obs = _cells(A01=100, A02=50, A03=3)
    counts = obs.iloc[sample_wells(obs, 43)]["Metadata_Well"].value_counts()
    assert counts.to_dict() == {"A01": 20, "A02": 20, "A03": 3}


def test_the_same_well_of_two_plates_is_two_wells() -> None:
    obs = pd.concat([_cells(A01=50), _cells(A01=50).assign(Metadata_Plate="Q")])
    assert obs.iloc[sample_wells(obs, 20)]["Metadata_Plate"].value_counts().to_list() == [10, 10]


def test_rows_are_unique_sorted_and_seeded() -> None:
    obs = _cells(A01=100, A02=50)
    rows = sample_wells(obs, 31, seed=1)
    assert len(rows) == 31
    assert (np.diff(rows) > 0).all()
    for n in (31, 31.0):  # as 1e4 is
        np.testing.assert_array_equal(rows, sample_wells(obs, n, seed=1))  # type: ignore[arg-type]
    assert set(rows) != set(sample_wells(obs, 31, seed=2))


def test_more_than_there_are_takes_all() -> None:
    np.testing.assert_array_equal(sample_wells(_cells(A01=3), 10), [0, 1, 2])


def test_cells_without_wells_are_drawn_at_random() -> None:
    assert len(sample_wells(pd.DataFrame(index=range(10)), 4)) == 4


def test_no_cell_is_no_sample() -> None:
    with pytest.raises(EmbeddingError, match="at least one cell"):
        sample_wells(_cells(A01=3), 0)


@pytest.mark.parametrize("values", [[True, False], [1, 0], ["True", "false"], ["1.0", ""]])
def test_truth_is_read_however_it_is_written(values: list) -> None:
    obs = pd.DataFrame({"Metadata_Good": values})
    assert chosen_cells(obs, "Good").tolist() == [True, False]
    assert chosen_cells(obs, "Metadata_Good").tolist() == [True, False]
    assert chosen_cells(obs, "good").tolist() == [True, False]  # as labels are named


@pytest.mark.parametrize(
    ("where", "message"),
    [("Bad", "no column 'Bad'.*Metadata_Good"), ("Good", "true or false.*'perhaps'")],
)
def test_what_is_no_truth_is_refused(where: str, message: str) -> None:
    with pytest.raises(EmbeddingError, match=message):
        chosen_cells(pd.DataFrame({"Metadata_Good": ["True", "perhaps"]}), where)


def test_a_truth_for_each_cell_is_taken_as_it_is() -> None:
    obs = pd.DataFrame({"Metadata_Good": [True, False]})
    assert chosen_cells(obs, np.array([False, True])).tolist() == [False, True]
    for wrong in (np.array([True]), np.array([0, 1]), [1, 0]):
        with pytest.raises(EmbeddingError, match="wanted a truth value for each of 2 cells"):
            chosen_cells(obs, wrong)


def test_a_series_goes_by_the_names_of_cells() -> None:
    obs = pd.DataFrame(index=["a", "b", "c"])
    where = pd.Series([True, False, False], index=["c", "a", "b"])
    assert chosen_cells(obs, where).tolist() == [False, False, True]
    with pytest.raises(EmbeddingError, match=r"names 2 of 3 cells.*reindex"):
        chosen_cells(obs, where[:2])
