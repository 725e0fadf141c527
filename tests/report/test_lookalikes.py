from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from cellssl.report.sections.answer import answer_section
from cellssl.report.sections.lookalikes import candidates, find_groups, find_pairs, read_answer


def said(section) -> str:
    bullets = next(block for block in section.blocks if block.kind == "bullets")
    return "\n".join(f"{name} {text}" for name, text in bullets.items)


def test_controls_are_no_treatments(similarity):
    answer = read_answer(similarity)
    assert "DMSO" not in answer.matrix
    assert "DMSO" not in answer.activity


def test_activity_is_called_at_a_false_discovery_rate(similarity):
    answer = read_answer(similarity)
    assert not answer.active["inert 1"]
    assert answer.active.sum() == 4
    assert "inert 1" not in candidates(answer)


def test_two_doses_of_one_compound_are_no_news(similarity):
    answer = read_answer(similarity)
    pairs = find_pairs(answer, candidates(answer))
    assert [set(pair[:2]) for pair in pairs] == [{"taxol 1", "epothilone 1"}]


def test_groups_hold_what_looks_alike(similarity):
    answer = read_answer(similarity)
    groups = find_groups(answer, candidates(answer))
    assert [set(group) for group in groups] == [{"taxol 1", "taxol 3", "epothilone 1"}]


def test_every_group_of_a_large_screen_is_found_and_listed(similarity):
    kinds = np.repeat(np.arange(60), 3)
    table = pd.DataFrame(
        {"cells": 9, "control": "", "label": [f"MOA {kind}" for kind in kinds], "activity": np.nan}
        | {"p_value": np.nan, "map": np.nan, "map_q_value": np.nan},
        index=[f"drug {number}" for number in range(180)],
    )
    matrix = np.where(kinds[:, None] == kinds, 0.9, 0.0) + 0.1 * np.eye(180)
    square = pd.DataFrame(matrix, table.index, table.index)
    near = similarity.neighbours.iloc[:0]
    section = answer_section(replace(similarity, treatments=table, matrix=square, neighbours=near))
    assert "180 of them fall into 60 groups of look-alikes" in section.lead
    assert "and 55 more, listed below" in said(section)
    (listed,) = next(block for block in section.blocks if block.kind == "fold").blocks
    assert sorted(row[-1] for row in listed.rows)[0] == "drug 0, drug 1, drug 2"
    assert [row[:2] for row in listed.rows] == [["3", "0.90"]] * 60


def test_the_headline_in_words(similarity):
    section = answer_section(similarity)
    assert "5 treatments (compound and dose)" in section.lead
    assert "4 differ from the negative control, 1 cannot be told from it" in section.lead
    words = said(section)
    assert "taxol 1 and epothilone 1 (0.90, both stabiliser)" in words
    assert "Not told from the negative control: inert 1." in words
    assert "Farthest from the negative control: taxol 3 (6.0×)" in words
    assert "same MOA for 5 of 5 treatments" in words


def test_the_heat_map_leaves_out_what_is_not_told_from_the_control(similarity):
    def heat():
        pictures = [one for one in answer_section(similarity).blocks if one.kind == "picture"]
        drawn = next(axes for axes in pictures[0].figure.axes if axes.images)
        return {label.get_text() for label in drawn.get_yticklabels()}, pictures[0].caption

    names, caption = heat()
    assert len(names) == 4
    assert "inert 1" not in names
    assert "cannot be told from the negative control are left out" in caption
    similarity.treatments.loc["inert 1", "p_value"] = np.nan
    names, caption = heat()
    assert "inert 1" in names  # it was not tested
    assert "left out" not in caption
    similarity.treatments["p_value"] = 0.5
    names, caption = heat()
    assert len(names) == 5
    assert "Hardly one of them can be told" in caption


def test_doses_of_one_compound_are_no_group_of_look_alikes(similarity):
    assert (
        "3 of the active ones fall into 1 group of look-alikes." in answer_section(similarity).lead
    )
    similarity.treatments["Metadata_Compound"] = "taxol"
    lead = answer_section(similarity).lead
    assert "3 of the active ones look like another dose of the same compound (taxol)." in lead
    assert "group" not in lead


@pytest.mark.parametrize(
    ("compounds", "text"),
    [
        (["", None], "carry no treatment (no compound or concentration"),
        (["DMSO", "DMSO"], "of one treatment, DMSO, so that there is nothing to compare;"),
        (["DMSO", "taxol"], "The treatments (DMSO and taxol) could not be compared"),
    ],
)
def test_why_treatments_are_not_compared(compounds, text):
    cells = pd.DataFrame({"Metadata_Compound": pd.Series(compounds, dtype="category")})
    assert text in answer_section(None, cells).blocks[0].text


def test_wells_that_stand_for_treatments_are_said_to(similarity):
    texts = [block.text for block in answer_section(similarity).blocks if block.kind == "text"]
    assert not any("each well counts as one" in text for text in texts)
    similarity.treatments["Metadata_Well"] = "B02"
    assert "each well counts as one" in answer_section(similarity).blocks[0].text


def test_without_control_wells_nothing_is_called_active(similarity):
    similarity.treatments["p_value"] = np.nan
    section = answer_section(similarity)
    assert "differ from" not in section.lead
    similarity.treatments["activity"] = np.nan
    texts = [block.text for block in answer_section(similarity).blocks if block.kind == "text"]
    assert any("No negative control" in text for text in texts)


def test_with_few_control_wells_the_ranks_of_wells_decide(similarity):
    similarity.treatments["p_value"] = np.nan
    similarity.treatments["map_q_value"] = [np.nan, 0.04, 0.04, 0.04, 0.2, np.nan]
    lead = answer_section(similarity).lead
    assert "3 differ from the negative control, 1 cannot be told from it, 1 has too few" in lead
    # Its wells are as far from all control wells as ranks can say: more would have told.
    similarity.treatments["map"] = [np.nan, 1, 1, 1, 1, np.nan]
    lead = answer_section(similarity).lead
    assert "3 differ from the negative control, 0 cannot be told from it, 2 have too few" in lead


def test_treatments_that_could_not_be_tested_are_counted_apart(similarity):
    similarity.treatments.loc[["taxol 3", "inert 1"], "p_value"] = np.nan
    section = answer_section(similarity)
    assert (
        "3 differ from the negative control, 0 cannot be told from it, 2 have too" in section.lead
    )
    assert "Not told from the negative control: none." in said(section)
    captions = [block.caption for block in section.blocks if block.kind == "picture"]
    assert any("hollow bars cannot be told from it or have too few wells" in c for c in captions)


def test_labels_are_called_by_their_own_column(similarity):
    similarity = replace(similarity, label="Metadata_Pathway")
    assert "has the same Pathway for 5 of 5" in said(answer_section(similarity))


@pytest.mark.parametrize("kept", [["DMSO"], ["DMSO", "taxol 1"], ["taxol 1", "taxol 3"]])
def test_few_treatments_never_fail(similarity, kept):
    near = similarity.neighbours
    few = replace(
        similarity,
        treatments=similarity.treatments.loc[kept],
        matrix=similarity.matrix.loc[kept, kept],
        neighbours=near[near["treatment"].isin(kept) & near["neighbour"].isin(kept)],
    )
    assert answer_section(few).blocks


def test_unlabelled_treatments_have_no_check_and_no_strip(similarity):
    similarity.treatments["label"] = ""
    assert "Check" not in said(answer_section(similarity))


def test_missing_similarities_count_as_unlike(similarity):
    similarity.matrix.iloc[1, 3] = similarity.matrix.iloc[3, 1] = np.nan
    answer = read_answer(similarity)
    assert find_pairs(answer, candidates(answer))
    assert isinstance(find_groups(answer, candidates(answer)), list)


def test_no_treatments_at_all():
    assert "no treatment" in answer_section(None).blocks[0].text
