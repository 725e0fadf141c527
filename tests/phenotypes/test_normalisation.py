import numpy as np
import pytest

from cellssl.errors import EmbeddingError
from cellssl.phenotypes import normalise_features

RNG = np.random.default_rng(0)
PLATES = np.repeat(["p", "q"], 50)
X = (RNG.normal(size=(100, 4)) * [1, 10, 1, 0] + np.where(PLATES == "p", 0, 20)[:, None]).astype(
    np.float32
)
ROWS = np.arange(0, 100, 3)


def test_standardise_looks_at_the_scored_cells_alone():
    Z = normalise_features(X, ROWS)
    np.testing.assert_allclose(Z[:, :3].mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(Z[:, :3].std(axis=0), 1, atol=1e-5)
    np.testing.assert_array_equal(normalise_features(X, ROWS, rule="none"), X[ROWS])


def test_plate_standardise_removes_the_plate():
    Z = normalise_features(X, np.arange(100), rule="plate-standardise", plates=PLATES)
    for plate in ("p", "q"):
        np.testing.assert_allclose(Z[plate == PLATES].mean(axis=0), 0, atol=1e-4)


def test_control_standardise_uses_the_controls_of_the_plate():
    controls = np.arange(100) % 50 < 20
    Z = normalise_features(
        X, np.arange(100), rule="control-standardise", plates=PLATES, controls=controls
    )
    np.testing.assert_allclose(Z[controls & (PLATES == "q")].mean(axis=0), 0, atol=1e-4)
    assert Z[controls & (PLATES == "p"), 1].std() == pytest.approx(1, abs=1e-4)


def test_a_silent_unit_on_one_plate_does_not_explode():
    Y = X.copy()
    Y[PLATES == "p", 0] = 0
    Y[0, 0] = 1
    Z = normalise_features(Y, np.arange(100), rule="plate-standardise", plates=PLATES)
    assert np.abs(Z).max() < 10


def test_wrong_rules_and_lacking_columns():
    with pytest.raises(EmbeddingError, match="Did you mean 'standardise'"):
        normalise_features(X, ROWS, rule="standardize")
    with pytest.raises(EmbeddingError, match="Metadata_Plate"):
        normalise_features(X, ROWS, rule="plate-standardise")
    with pytest.raises(EmbeddingError, match="Metadata_Control"):
        normalise_features(X, ROWS, rule="control-standardise", plates=PLATES)
    with pytest.raises(EmbeddingError, match="has 5 cells for it"):
        normalise_features(
            X,
            ROWS,
            rule="control-standardise",
            plates=PLATES,
            controls=np.arange(100) % 50 < 5,
        )
