"""Gains and losses of classes in words and as a figure."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from cellssl.errors import EmbeddingError
from cellssl.report import class_difference_figure, class_statements
from cellssl.report.page import Picture
from cellssl.report.sections.classes import classes_section


@pytest.fixture
def differences() -> pd.DataFrame:
    rows = [
        ("expert", "natural", "Destabilisers", 0.12, 0.04, 0.2, True),
        ("expert", "natural", "Eg5 $x$", 0.30, 0.1, 0.5, True),
        ("expert", "natural", "DNA damage", -0.1, -0.17, -0.02, True),
        ("expert", "natural", "DMSO", 0.01, -0.1, 0.12, False),
        ("expert", "natural", "Actin", 0.0, -0.1, 0.1, False),
        ("expert", "random", "DMSO", 0.01, -0.1, 0.12, False),
        ("expert", "random", "Actin", 0.0, -0.1, 0.1, False),
    ]
    names = ["embedding_a", "embedding_b", "class", "difference", "low", "high", "apart"]
    table = pd.DataFrame(rows, columns=names)
    return table.assign(subset="all", classifier="knn", n=50)


def test_gains_and_losses_are_said_in_words(differences):
    said = class_statements(differences, "expert", ["natural", "random", "absent"])
    assert said == [
        (
            "expert against natural, kNN:",
            "gains on Eg5 $x$ (+0.30, 0.10 to 0.50) and Destabilisers (+0.12, 0.04 to 0.20), "
            "loses on DNA damage (−0.10, −0.17 to −0.02); the other 2 classes cannot be told apart.",
        ),
        ("expert against random, kNN:", "no class can be told apart."),
    ]
    three = class_statements(differences.iloc[:4], "expert", ["natural"])[0][1]
    assert three.endswith("; the other class cannot be told apart.")
    back = class_statements(differences, "natural", ["expert"])[0][1]
    assert back.startswith("gains on DNA damage (+0.10, 0.02 to 0.17), loses on Eg5")


def test_a_panel_for_each_other_one(differences):
    both = differences[differences["class"].isin(["DMSO", "Actin"])]
    figure = class_difference_figure(both, "expert", ["natural", "random"])
    figure.draw_without_rendering()
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == ["against natural", "against random"]
    figure = class_difference_figure(differences, "expert", ["natural"])
    figure.draw_without_rendering()
    dots = figure.axes[0].collections[-1]
    np.testing.assert_allclose(dots.get_offsets()[:, 0], [0, 0.12, 0.01, -0.1, 0.3])
    filled = [not np.allclose(colour[:3], 1) for colour in dots.get_facecolors()]
    assert filled == [False, True, False, True, True]
    names = "\n".join(item.get_text() for item in figure.findobj(mpl.text.Text))
    assert "Eg5 \\$x\\$" in names


def test_what_was_not_compared_cannot_be_drawn(differences):
    with pytest.raises(EmbeddingError, match="absent by knn"):
        class_difference_figure(differences, "expert", ["absent"])
    assert classes_section(differences, "expert", ["absent"]) is None


def test_of_very_many_classes_there_are_words_only(differences):
    many = [
        differences.assign(**{"class": differences["class"] + str(number)}) for number in range(20)
    ]
    section = classes_section(pd.concat(many), "expert", ["natural"])
    assert section is not None
    assert not any(isinstance(block, Picture) for block in section.blocks)
