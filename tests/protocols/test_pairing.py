"""Positives by well or treatment: which cells belong together."""

import numpy as np
import pandas as pd
import pytest
import torch

from cellssl.errors import ProtocolError, TrainingError
from cellssl.phenotypes.leakage import UsedLabels
from cellssl.protocols import (
    LabelsUsed,
    Positives,
    build_partners,
    dump,
    from_dict,
    load,
    loads,
    resolve,
    summarise,
    used_labels,
)
from cellssl.training import Partners

CELLS = pd.DataFrame(
    {
        "Metadata_Plate": ["P1", "P1", "P1", "P2", "P2", "P2"],
        "Metadata_Well": ["A01", "A01", "A02", "A01", "A02", "A02"],
        "Metadata_Compound": ["taxol", "taxol", "DMSO", "taxol", "DMSO", ""],
        "Metadata_Concentration": [0.3, 0.1 + 0.2, np.nan, 3.0, np.nan, 0.3],
        "Metadata_MOA": ["m", None, "m", "m", "c", "c"],
    }
)


def partners_of(positives: object, cells: pd.DataFrame = CELLS) -> list[set[int]]:
    """Give every cell's partners, drawn often."""
    partners = build_partners(resolve("natural-moco", {"positives": positives}), cells)
    assert isinstance(partners, Partners)
    index = torch.arange(len(cells))
    drawn = [partners.draw(index, samples=index, seed=0, epoch=e).tolist() for e in range(40)]
    return [set(column) for column in zip(*drawn, strict=True)]


def test_the_same_cell_needs_no_partners() -> None:
    assert build_partners(load("natural-moco"), pd.DataFrame()) is None


def test_cells_of_a_well_belong_together() -> None:
    assert partners_of("same_well") == [{1}, {0}, {2}, {3}, {5}, {4}]


def test_treatments_are_compound_and_dose_by_value() -> None:
    cells = CELLS.assign(Metadata_Concentration=[0.3, 0.3, np.nan, 3.0, np.nan, 0.3])
    assert partners_of("same_treatment", cells) == [{1}, {0}, {4}, {3}, {2}, {5}]
    text = cells.assign(Metadata_Concentration=["0.3", "0.30", "", "3", "", "0.3"])
    assert partners_of("same_treatment", text) == [{1}, {0}, {4}, {3}, {2}, {5}]
    named = text.astype({"Metadata_Compound": "category", "Metadata_Concentration": "category"})
    assert partners_of("same_treatment", named) == [{1}, {0}, {4}, {3}, {2}, {5}]


def test_without_doses_a_treatment_is_a_compound() -> None:
    for cells in (
        CELLS.drop(columns="Metadata_Concentration"),
        CELLS.assign(Metadata_Concentration=np.nan),
    ):
        assert partners_of("same_treatment", cells) == [{1, 3}, {0, 3}, {4}, {0, 1}, {2}, {5}]


def test_of_a_genetic_screen_treatments_are_the_guides_of_genes() -> None:
    guides = {
        "Metadata_Gene": ["A", "A", "", "A", "B", "B"],
        "Metadata_Guide": [1, 1, 1, 2, "", ""],
    }
    cells = pd.DataFrame(guides)
    assert partners_of("same_treatment", cells) == [{1}, {0}, {2}, {3}, {5}, {4}]
    empty = cells.assign(Metadata_Compound="")  # as a table for all kinds of screens has it
    assert partners_of("same_treatment", empty) == partners_of("same_treatment", cells)
    named = cells.assign(Metadata_Well="A01", Metadata_Guide=["g", "g ", "", "", "h", "h"])
    alone = {"kind": "same_treatment", "columns": ["Guide", "Well"]}
    # Without its gene a guide that is missing is none; blanks around names are nothing.
    assert partners_of(alone, named) == [{1}, {0}, {2}, {3}, {5}, {4}]
    told = used_labels(resolve("natural-moco", {"positives": "same_treatment"}), empty)
    assert told["columns"] == list(guides)


def test_partners_may_have_to_come_from_another_plate() -> None:
    kind = {"kind": "same_treatment", "another_plate": True, "columns": ["Compound"]}
    assert partners_of(kind) == [{3}, {3}, {4}, {0, 1}, {2}, {5}]


@pytest.mark.parametrize("which", [{"plates": ["P1"]}, {"exclude_plates": ["P2"]}])
def test_cells_of_other_plates_are_their_own_partners(which: dict[str, list[str]]) -> None:
    kind = {"kind": "same_treatment", "columns": ["Compound"], **which}
    assert partners_of(kind) == [{1}, {0}, {2}, {3}, {4}, {5}]
    protocol = resolve("natural-moco", {"positives": kind})
    assert used_labels(protocol, CELLS) == {"columns": ["Metadata_Compound"], "plates": ["P1"]}
    well = {"kind": "same_well", **which}
    assert partners_of(well) == [{1}, {0}, {2}, {3}, {4}, {5}]
    numbers = CELLS.assign(Metadata_Plate=[1, 1, 1, 2, 2, 2])
    assert partners_of({"kind": "same_well", "exclude_plates": [2]}, numbers)[5] == {5}


def test_used_labels_are_columns_and_plates() -> None:
    def used(positives: object, cells: pd.DataFrame = CELLS) -> list[list[str]]:
        return list(used_labels(resolve("natural-moco", {"positives": positives}), cells).values())

    assert used("same_cell") == [[], []]
    assert used("same_well") == [["Metadata_Plate", "Metadata_Well"], ["P1", "P2"]]
    both = ["Metadata_Compound", "Metadata_Concentration"]
    assert used("same_treatment") == [both, ["P1", "P2"]]
    assert used("same_treatment", CELLS.drop(columns="Metadata_Plate")) == [both, []]


def test_labels_that_chose_amplitudes_are_used_on_all_plates_unless_some_are_named() -> None:
    def used(**keys: object) -> list[list[str]]:
        chosen = resolve("natural-moco").model_copy(update={"labels_used": LabelsUsed(**keys)})
        trained_on = CELLS[CELLS["Metadata_Plate"] == "P1"]
        return list(used_labels(chosen, trained_on).values())

    assert used(columns=["MOA"], plates=["P2"]) == [["Metadata_MOA"], ["P2"]]
    assert used(columns=["MOA"]) == [["Metadata_MOA"], []]  # P2 is not among the cells, nor fair
    everywhere = UsedLabels.of(dict(zip(("columns", "plates"), used(columns=["MOA"]), strict=True)))
    assert everywhere.rows(CELLS).all()


def test_columns_are_chosen_with_or_without_prefix() -> None:
    for name in ("MOA", "Metadata_MOA"):
        kind = {"kind": "same_treatment", "columns": [name]}
        assert partners_of(kind) == [{2, 3}, {1}, {0, 3}, {0, 2}, {5}, {4}]


@pytest.mark.parametrize(
    ("positives", "cells", "said"),
    [
        ("same_well", CELLS[["Metadata_Plate"]], "Metadata_Well, which the cells lack; they have Metadata_Plate"),
        ("same_treatment", CELLS[["Metadata_Plate"]], "same_treatment needs the column Metadata_Compound"),
        ("same_treatment", CELLS.assign(Metadata_Compound=""), "Metadata_Compound, which is empty for all 6 cells"),
        ({"kind": "same_treatment", "columns": ["Compond"]}, CELLS, "did you mean 'Metadata_Compound'"),
        ({"kind": "same_treatment", "another_plate": True}, CELLS.iloc[:, 1:], "the column Metadata_Plate"),
        ({"kind": "same_treatment", "plates": ["P1"]}, CELLS.iloc[:, 1:], "the column Metadata_Plate"),
        ({"kind": "same_well", "plates": ["P1", "P9"]}, CELLS, "positives.plates: the cells have no plate 'P9'"),
        ({"kind": "same_well", "exclude_plates": ["p1"]}, CELLS, "the cells have no plate 'p1'; did you mean 'P1'"),
    ],
)  # fmt: skip
def test_missing_and_empty_columns_are_told(
    positives: object, cells: pd.DataFrame, said: str
) -> None:
    with pytest.raises(ProtocolError, match=said):
        build_partners(resolve("natural-moco", {"positives": positives}), cells)


def test_a_table_where_nobody_has_a_partner_is_refused() -> None:
    with pytest.raises(TrainingError, match="no image has a partner"):
        build_partners(resolve("natural-moco", {"positives": "same_well"}), CELLS.iloc[[0, 2]])


@pytest.mark.parametrize(
    ("says", "plain", "shown"),
    [
        ("same_well", "same_well", "same_well"),
        ("{kind: same_treatment}", "same_treatment", "same_treatment"),
        ("{kind: same_cell, another_plate: false}", "same_cell", "same_cell"),
        (
            "{kind: same_treatment, another_plate: true}",
            {"kind": "same_treatment", "another_plate": True},
            "same_treatment on another plate",
        ),
        (
            "{kind: same_well, exclude_plates: [24]}",
            {"kind": "same_well", "exclude_plates": ["24"]},
            "same_well, not of plates 24",
        ),
        (
            "{kind: same_well, plates: [P1, P2]}",
            {"kind": "same_well", "plates": ["P1", "P2"]},
            "same_well, of plates P1, P2 only",
        ),
        (
            "{kind: same_treatment, columns: [Metadata_MOA]}",
            {"kind": "same_treatment", "columns": ["MOA"]},
            "same_treatment",
        ),
    ],
)
def test_positives_are_written_as_shortly_as_they_can(says: str, plain: object, shown: str) -> None:
    protocol = loads(f"name: a\nextends: natural-moco\npositives: {says}\n")
    assert protocol.to_dict()["positives"] == plain
    assert loads(dump(protocol)) == protocol
    assert from_dict(protocol.to_dict()) == protocol
    assert str(protocol.positives) == shown
    assert f"positives: {shown}" in summarise(protocol)[1]


def test_all_but_the_same_cell_is_weak_supervision() -> None:
    weak = {
        kind: Positives(kind=kind).weak for kind in ("same_cell", "same_well", "same_treatment")
    }
    assert weak == {"same_cell": False, "same_well": True, "same_treatment": True}
