"""What a message about an unknown word ends with."""

import pytest

from cellssl.errors import nearest


@pytest.mark.parametrize(
    ("word", "words", "end"),
    [
        ("rotat", ["rotate", "zoom"], "; did you mean 'rotate'?"),
        ("DNA", ["dna", "Actin"], "; did you mean 'dna'?"),
        ("Mao", ["Metadata_MOA", "area"], "; did you mean 'Metadata_MOA'?"),
        ("Metadata_Area", ["Metadata_MOA", "area"], "; did you mean 'area'?"),
        ("blur", ["rotate", "zoom"], "; there are rotate, zoom"),
        ("blur", [], ""),
    ],
)
def test_the_nearest_word_is_named_or_all_are(word: str, words: list[str], end: str) -> None:
    assert nearest(word, words) == end
    assert nearest(word, words, listed=True) == (end if "mean" in end else "")
