import pytest

from cellssl.errors import EmbeddingError
from cellssl.phenotypes import choose_label, require_label


def test_the_label_is_found_by_its_plain_name_or_by_custom(make_embedding):
    obs = make_embedding().obs
    assert choose_label(obs, "moa") == "Metadata_MOA"
    assert choose_label(obs) == "Metadata_MOA"
    obs["Metadata_MOA"] = ""
    assert choose_label(obs) == "Metadata_Compound"  # Control says nothing but "negative"
    obs.loc[obs["Metadata_Compound"] == "taxol", "Metadata_Control"] = "positive"
    assert choose_label(obs) == "Metadata_Control"


def test_no_label_is_fine_unless_it_is_required(make_embedding):
    obs = make_embedding().obs[["Metadata_Plate"]]
    assert choose_label(obs) is None
    with pytest.raises(EmbeddingError, match="need a label"):
        require_label(obs)
    with pytest.raises(EmbeddingError, match="did you mean Metadata_Plate"):
        choose_label(obs, "plates")
