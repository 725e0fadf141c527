import numpy as np

from cellssl.report import confusion


def shares(figure):
    return [
        np.asarray(axes.images[0].get_array()) for axes in figure.axes if axes.get_title(loc="left")
    ]


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
