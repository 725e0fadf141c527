import numpy as np
import pandas as pd
import pytest

from cellssl.errors import EmbeddingError
from cellssl.phenotypes import choose_label, require_label, similarity
from cellssl.phenotypes.columns import require_column, text_values, well_names
from cellssl.phenotypes.evaluation.splits import find_split


def test_the_label_is_found_by_its_plain_name_or_by_custom(make_embedding):
    obs = make_embedding().obs
    assert choose_label(obs, "moa") == "Metadata_MOA"
    assert choose_label(obs) == "Metadata_MOA"
    obs["Metadata_MOA"] = ""
    assert choose_label(obs) == "Metadata_Compound"  # Control says nothing but "negative"


def test_controls_are_the_label_where_compounds_are_not_repeated(make_embedding):
    obs = make_embedding().obs.drop(columns="Metadata_MOA")
    obs.loc[obs["Metadata_Compound"] == "taxol", "Metadata_Control"] = "positive"
    assert choose_label(obs) == "Metadata_Compound"
    treated = obs["Metadata_Control"] == ""
    compounds = obs["Metadata_Compound"].astype(str)
    libraries = obs.assign(
        Metadata_Compound=compounds.mask(treated, compounds + " of " + obs["Metadata_Plate"])
    )
    assert choose_label(libraries) == "Metadata_Control"  # two wells of each, on one plate only
    assert choose_label(libraries[libraries["Metadata_Plate"] == "W0_1"]) == "Metadata_Compound"
    screen = obs.assign(
        Metadata_Plate="1",
        Metadata_Compound=compounds.mask(treated, "library " + obs["Metadata_Well"]),
    )
    assert choose_label(screen) == "Metadata_Control"


def test_no_label_is_fine_unless_it_is_required(make_embedding, caplog):
    obs = make_embedding().obs[["Metadata_Plate"]]
    assert choose_label(obs) is None
    with pytest.raises(EmbeddingError, match=r"need a label.*There are: Metadata_Plate"):
        require_label(obs)
    with pytest.raises(EmbeddingError, match="did you mean 'Metadata_Plate'"):
        choose_label(obs, "plates")
    assert not caplog.records  # the error says it


def test_columns_of_another_vocabulary_are_named_and_explained(make_embedding):
    obs = make_embedding().obs.rename(columns=lambda name: name.removeprefix("Metadata_").lower())
    with pytest.raises(EmbeddingError, match=r"There are: plate, well.*called Metadata_Plate"):
        require_label(obs)


def test_a_treatment_keeps_its_label_where_some_cells_have_none(make_embedding):
    cells = make_embedding()
    expected = similarity(cells).treatments["label"]
    cells.obs["Metadata_MOA"] = cells.obs["Metadata_MOA"].astype(object)
    cells.obs.loc[cells.obs_names[::3], "Metadata_MOA"] = None
    assert similarity(cells).treatments["label"].tolist() == expected.tolist()


def test_scores_without_plates_and_wells_are_warned_of(make_embedding, caplog):
    cells = make_embedding()
    kept = [name for name in cells.obs if name not in ("Metadata_Plate", "Metadata_Well")]
    find_split(cells.obs[kept], np.arange(cells.n_obs), "auto")
    assert "name no plate and no well: without them kNN and linear are not scored" in caplog.text


@pytest.mark.parametrize(
    ("groups", "name"),
    [("Plate", "plates"), ("Metadata_Plate", "plates"), ("wells", "wells"), ("Well", "wells")],
)
def test_plates_and_wells_are_known_however_they_are_written(groups, name, make_embedding):
    cells = make_embedding()
    assert find_split(cells.obs, np.arange(cells.n_obs), groups).name == name


def test_a_column_that_is_not_there_is_said_in_sentences():
    obs = pd.DataFrame({"Metadata_MOA": ["a"], "Metadata_Well": ["A01"]})
    with pytest.raises(EmbeddingError, match=r"no column 'zzz'\. There are: Metadata_MOA, "):
        choose_label(obs, "zzz")
    with pytest.raises(EmbeddingError, match=r"no column 'moo'; did you mean .*\? There are: "):
        choose_label(obs, "moo")


@pytest.mark.parametrize(
    ("given", "got"), [(["MOA", "Plate"], "a list of 2"), (pd.Series(["a"]), "a Series")]
)
def test_several_columns_and_their_values_are_no_name(given, got):
    obs = pd.DataFrame({"Metadata_MOA": ["a"]})
    for find in (require_label, lambda obs, name: require_column(obs, name, purpose="the colour")):
        with pytest.raises(
            EmbeddingError, match=rf"wanted the name of one column, got {got}: .*obs\["
        ):
            find(obs, given)


def test_genes_are_a_label_and_come_after_controls_where_each_is_in_one_well():
    obs = pd.DataFrame(
        {
            "Metadata_Plate": ["P1", "P1", "P2", "P2"],
            "Metadata_Well": ["A01", "A02", "A01", "A02"],
            "Metadata_Gene": ["KIF11", "AURKB", "KIF11", "AURKB"],
            "Metadata_Control": ["negative", "positive"] * 2,
        }
    )
    assert choose_label(obs) == "Metadata_Gene"
    assert choose_label(obs.assign(Metadata_Gene=list("abcd"))) == "Metadata_Control"


def test_texts_beside_gaps_keep_all_their_letters():
    obs = pd.DataFrame({"Metadata_Plate": ["P1", "P1"], "Metadata_Well": ["A01", np.nan]})
    assert well_names(obs).tolist() == ["P1/A01", "P1/"]


@pytest.mark.parametrize(
    ("numbers", "texts"),
    [
        ([2244123, 2244124, None, 1], ["2244123", "2244124", "", "1"]),  # compounds of PubChem
        ([0.1 + 0.2, 1e-5, 10 / 3, 1e15], ["0.3", "1e-05", "3.33333", "1000000000000000"]),
    ],
)
def test_large_numbers_of_a_column_with_gaps_stay_apart(numbers, texts):
    assert text_values(pd.Series(numbers, dtype=float), "Metadata_Compound").tolist() == texts
