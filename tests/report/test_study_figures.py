"""Figures of studies: sweeps, gains and losses, which classes trade off."""

import itertools

import numpy as np
import pandas as pd
import pytest
from matplotlib.image import AxesImage

from cellssl.errors import EmbeddingError
from cellssl.report import (
    class_change_figure,
    class_sweep_figure,
    correlation_map,
    explanation_figure,
    sweep_figure,
)
from cellssl.studies.bias import class_correlations

from .examples import texts


@pytest.fixture
def swept() -> pd.DataFrame:
    rows = [
        (series, amplitude, metric, value, value - 0.05, value + 0.05)
        for series in ("MoCo $v_2$", "SimCLR")
        for amplitude, value in ((0.4, 0.2), (0.0, 0.1), (0.2, 0.3))
        for metric in ("knn", "linear")
    ]
    return pd.DataFrame(rows, columns=["series", "gain", "metric", "value", "low", "high"])


def test_a_sweep_is_drawn_in_the_order_of_its_values(swept: pd.DataFrame) -> None:
    figure = sweep_figure(swept, "gain", metrics=("knn", "linear"))
    assert {"kNN", "linear"} <= set(texts(figure).split("\n"))
    lines = figure.axes[0].get_lines()
    assert len(lines) == 2
    assert lines[0].get_xdata().tolist() == [0.0, 0.2, 0.4]
    assert lines[0].get_ydata().tolist() == [0.1, 0.3, 0.2]
    written = texts(figure)
    assert "MoCo \\$v_2\\$" in written
    assert "gain" in written
    assert {"0.0", "0.2", "0.4"} <= set(written.split("\n"))  # a scale can be read


def test_gains_and_losses_are_against_the_reference() -> None:
    table = pd.DataFrame(
        {"DMSO": [0.5, 0.6, 0.3], "Eg5": [0.4, np.nan, 0.399]}, index=["expert", "b", "c"]
    )
    figure = class_change_figure(table, reference="expert", classifier="knn")
    assert "Accuracy of each class (kNN), less that of expert" in texts(figure)
    drawn = np.ma.getdata(figure.axes[0].findobj(AxesImage)[0].get_array())
    np.testing.assert_allclose(drawn, [[0.1, np.nan], [-0.2, -0.001]])
    written = texts(figure).split("\n")
    assert {"+0.10", "-0.20", "+0.00", "DMSO", "0.50"} <= set(written)
    assert "b" in written
    assert "nan" not in texts(figure)


def test_changes_that_are_told_from_none_are_framed() -> None:
    table = pd.DataFrame(
        {"DMSO": [0.5, 0.6, 0.3], "Eg5": [0.4, 0.4, 0.45]}, index=["expert", "b", "c"]
    )
    apart = pd.DataFrame({"Eg5": [False, False], "DMSO": [True, False]}, index=["b", "c"])
    axes = class_change_figure(table, reference="expert", apart=apart).axes[0]
    frames = [patch.get_center().round(6).tolist() for patch in axes.patches]
    assert frames == [[0, 0]]  # DMSO of b
    assert not class_change_figure(table, reference="expert").axes[0].patches


@pytest.mark.parametrize("classes", [2, 3, 13])
def test_classes_that_go_together_stand_together(classes: int) -> None:
    rng = np.random.default_rng(0)
    base = rng.random(12)
    columns = {
        f"class {n}": (base if n % 2 else -base) + 0.001 * rng.random(12) for n in range(classes)
    }
    found = class_correlations(pd.DataFrame(columns), draws=999)
    figure = correlation_map(found)
    drawn = np.asarray(figure.axes[0].findobj(AxesImage)[0].get_array())
    assert drawn.shape == (classes, classes)
    np.testing.assert_allclose(np.diag(drawn), 1)
    np.testing.assert_allclose(drawn, drawn.T)
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    odd = [int(name.split()[1]) % 2 for name in names]
    assert sum(a != b for a, b in itertools.pairwise(odd)) == 1  # two blocks
    assert texts(figure).count("•") == classes * (classes - 1)
    assert (drawn < 0).sum() == 2 * sum(odd) * (classes - sum(odd))


def test_a_class_without_correlation_is_blank() -> None:
    table = pd.DataFrame(np.random.default_rng(1).random((6, 3)), columns=["a", "b", "c"])
    table["c"] = 0.5
    figure = correlation_map(class_correlations(table, draws=99), value="pearson")
    drawn = np.asarray(figure.axes[0].findobj(AxesImage)[0].get_array(), dtype=float)
    assert np.isnan(drawn).sum() == 4
    assert "Pearson correlation" in texts(figure)


def test_gains_are_orange_and_losses_violet() -> None:
    table = pd.DataFrame({"DMSO": [0.5, 0.9], "Eg5": [0.5, 0.1]}, index=["expert", "b"])
    picture = class_change_figure(table, reference="expert").axes[0].findobj(AxesImage)[0]
    gain, loss = (picture.cmap(picture.norm(value))[:3] for value in (0.4, -0.4))
    assert gain[0] > gain[2]  # more red than blue
    assert loss[2] > loss[0]


def test_of_many_classes_those_that_change_most_are_shown() -> None:
    values = np.full((2, 150), 0.5)
    values[1] += np.linspace(-0.1, 0.3, 150)
    table = pd.DataFrame(values, index=["a", "b"], columns=[f"class {n:03d}" for n in range(150)])
    figure = class_change_figure(table, reference="a", apart=table.iloc[1:] > 0.79)
    heads = [label.get_text().split("\n")[0] for label in figure.axes[0].get_xticklabels()]
    assert heads == [f"class {n:03d}" for n in range(134, 150)]
    assert figure.axes[0].patches[-1].get_center()[0] == pytest.approx(15)
    assert "the 16 of 150 that change most" in texts(figure)


def test_of_many_classes_those_that_trade_off_most_are_shown() -> None:
    rng = np.random.default_rng(0)
    base = np.arange(6.0)
    columns = {f"class {n:03d}": base + 0.1 * rng.random(6) for n in range(60)}
    columns["loser"] = -base
    figure = correlation_map(class_correlations(pd.DataFrame(columns), draws=99))
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert len(labels) == 40
    assert "loser" in labels
    assert "The 40 of 61 classes that trade off most" in texts(figure)
    assert max(figure.get_size_inches()) < 25


def test_changes_need_a_scored_reference() -> None:
    table = pd.DataFrame({"DMSO": [0.5, 0.9]}, index=["expert", "b"])
    with pytest.raises(EmbeddingError, match="called 'exprt'; did you mean 'expert'"):
        class_change_figure(table, reference="exprt")
    with pytest.raises(EmbeddingError, match="no class could be scored"):
        class_change_figure(table.iloc[:0, :0], reference="expert")


def test_each_class_has_a_curve() -> None:
    table = pd.DataFrame(
        {
            "classifier": "knn",
            "class": ["cat"] * 2 + ["dog"] * 2,
            "hue": [0.5, 0.0, 0.0, 0.5],
            "accuracy": [0.4, 0.6, 0.3, 0.7],
        }
    )
    figure = class_sweep_figure(table, "hue")
    lines = figure.axes[0].get_lines()
    assert [line.get_label() for line in lines] == ["cat", "dog"]
    assert lines[0].get_xdata().tolist() == [0.0, 0.5]
    assert lines[0].get_ydata().tolist() == [0.6, 0.4]
    assert {"kNN", "hue", "cat"} <= set(texts(figure).split("\n"))


def test_of_many_long_names_those_that_move_most_are_all_read() -> None:
    names = [f"Microtubule destabilizers {number:02}" for number in range(40)]
    rows = [("knn", name, at, at * number) for number, name in enumerate(names) for at in (0, 0.01)]
    figure = class_sweep_figure(
        pd.DataFrame(rows, columns=["classifier", "class", "hue", "accuracy"]), "hue"
    )
    assert [line.get_label() for line in figure.axes[0].get_lines()] == names[24:]
    assert "the 16 of 40 classes that move most" in texts(figure)
    (legend,) = figure.legends
    drawn, whole = legend.get_window_extent(), figure.bbox
    assert whole.x0 <= drawn.x0 < drawn.x1 <= whole.x1
    assert whole.y0 <= drawn.y0 < drawn.y1 <= figure.axes[0].get_window_extent().y0


def test_what_clusters_follow_is_written_into_the_map() -> None:
    table = pd.DataFrame(
        {
            "embedding": ["a", "a", "b", "b"],
            "property": ["Digit", "slant"] * 2,
            "ami": [0.5, -0.001, 0.2, 0.3],
            "explained": [np.nan, 0.25, np.nan, -0.01],
        }
    )
    figure = explanation_figure(table)
    written = texts(figure).split("\n")
    assert {"0.50", "0.00", "0.25", "-0.01", "slant", "a", "b"} <= set(written)
    assert "nan" not in written
    shown = np.ma.getdata(figure.axes[0].findobj(AxesImage)[0].get_array())
    np.testing.assert_allclose(shown, [[0.5, -0.001], [0.2, 0.3]])
