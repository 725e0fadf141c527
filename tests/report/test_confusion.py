import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from cellssl.errors import EmbeddingError
from cellssl.report import confusion, confusion_figure


def counted(count=3, embedding="expert", classifiers=("knn", "linear"), subset="all"):
    """Of class i ten cells, three of them taken for the next class."""
    rows = [
        (embedding, subset, classifier, i, j, 7 * (i == j) + 3 * ((i + 1) % count == j), seed)
        for classifier in classifiers
        for i in range(count)
        for j in range(count)
        for seed in ("0", "1")
    ]
    names = ["embedding", "subset", "classifier", "true", "predicted", "count", "seed"]
    return pd.DataFrame(rows, columns=names)


def texts(axes):
    return [text.get_text() for text in axes.findobj(mpl.text.Text)]


def heats(figure):
    return [axes for axes in figure.axes if axes.images]


def shares(figure):
    return [np.asarray(axes.images[0].get_array()) for axes in heats(figure)]


def test_shares_of_each_true_class_are_written_in_the_squares():
    first, second = heats(confusion_figure(counted()))
    assert first.get_title(loc="left") == "kNN"
    assert second.get_title(loc="left") == "linear"
    assert first.images[0].get_array().tolist() == [[70, 30, 0], [0, 70, 30], [30, 0, 70]]
    assert [text.get_text() for text in first.texts] == ["70", "30", "70", "30", "30", "70"]
    assert {"0 (20)", "1 (20)", "2 (20)"} <= set(texts(first))


@pytest.mark.parametrize(("count", "numbers", "names"), [(20, 40, 20), (21, 0, 21), (61, 0, 0)])
def test_of_many_classes_less_is_written(count, numbers, names):
    axes = heats(confusion_figure(counted(count, classifiers=("linear",))))[0]
    assert len(axes.texts) == numbers
    assert len(axes.get_yticks()) == names
    ordered = [text.get_text().split()[0] for text in axes.get_yticklabels()]
    assert ordered == [str(i) for i in range(names)]  # 2 before 10


def test_a_class_without_cells_is_a_column_where_it_misleads():
    table = counted()
    table.loc[table["true"] == 2, "count"] = 0
    axes = heats(confusion_figure(table))[0]
    assert axes.images[0].get_array().tolist() == [[70, 30, 0], [0, 70, 30]]


def test_rows_of_every_classifier_are_the_classes_that_stand_beside_them():
    table = counted(4, classifiers=("knn", "linear", "knn_batches"))
    table = table[
        (table["classifier"] != "knn_batches") | ((table["true"] != 1) & (table["predicted"] != 1))
    ]
    figure = confusion_figure(table)
    names = [label.get_text() for label in heats(figure)[0].get_yticklabels()]
    assert names == ["0 (20)", "1 (20)", "2 (20)", "3 (20)"]
    first, _, batches = shares(figure)
    assert first[2].tolist() == batches[2].tolist() == [0, 0, 70, 30]
    assert batches[:, 1].tolist() == [0, pytest.approx(np.nan, nan_ok=True), 0, 0]
    assert figure.get_size_inches()[0] < 10.1  # two beside each other


def test_no_name_beneath_is_cut_off():
    table = counted(3, classifiers=("knn", "linear", "knn_batches", "linear_batches"))
    table[["true", "predicted"]] = table[["true", "predicted"]].map(
        "a mechanism of many words {}".format
    )
    figure = confusion_figure(table)
    figure.canvas.draw()
    assert min(axes.get_tightbbox().y0 for axes in figure.axes) >= 0


def test_one_embedding_and_subset_is_chosen():
    table = pd.concat([counted(), counted(4, "other"), counted(2, "expert", subset="two")])
    assert heats(confusion_figure(table, embedding="other"))[0].images[0].get_array().shape == (
        4,
        4,
    )
    two = confusion_figure(table, embedding="expert", subset="two")
    assert heats(two)[0].images[0].get_array().shape == (2, 2)
    for wrong in ({}, {"embedding": "none"}, {"embedding": "other", "subset": "two"}):
        with pytest.raises(EmbeddingError, match="expert, other"):
            confusion_figure(table, **wrong)


def test_classes_that_lie_apart_are_not_confused(embedding, tmp_path):
    label = embedding.obs["Metadata_MOA"].astype(str)
    embedding.obs["Metadata_Class"] = label.replace("", "untreated")
    codes = embedding.obs["Metadata_Class"].astype("category").cat.codes.to_numpy()
    embedding.X += 20 * np.eye(6, dtype=np.float32)[codes]
    embedding.obs["Metadata_Plate"] = [f"P{i // 40}" for i in range(embedding.n_obs)]
    knn, linear = shares(confusion(embedding, label="Class"))
    assert (np.diag(knn) > 90).all()
    assert (np.diag(linear) > 90).all()
    embedding.write_h5ad(tmp_path / "embedding.h5ad")
    again = shares(confusion(tmp_path / "embedding.h5ad", label="Class"))
    np.testing.assert_array_equal(again[0], knn)


def test_noise_is_confused(embedding):
    knn, linear = shares(confusion(embedding, label="kmeans"))
    assert knn.shape == linear.shape == (3, 3)
    assert np.diag(linear).mean() < 70


def test_classes_of_one_cell_are_refused_with_the_reason(embedding):
    embedding.obs["rare"] = ["one", *["usual"] * (embedding.n_obs - 1)]
    with pytest.raises(EmbeddingError, match=r"no class is told from others: .+"):
        confusion(embedding, label="rare")
