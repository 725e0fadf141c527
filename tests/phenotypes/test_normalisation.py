import sys

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
FEW = np.arange(100) % 50 < 5  # controls


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


@pytest.mark.parametrize(
    ("rule", "known", "said"),
    [
        ("standardize", {}, "did you mean 'standardise'"),
        ("standardise+tvm", {}, "did you mean 'tvn'"),
        ("plate-standardise", {}, "Metadata_Plate"),
        ("control-standardise", {"plates": PLATES}, "Metadata_Control"),
        ("control-standardise", {"plates": PLATES, "controls": FEW}, "has 5 cells for it"),
        ("tvn", {}, "--controls"),
        ("coral", {}, "Metadata_Batch"),
    ],
)
def test_wrong_rules_and_lacking_columns(rule, known, said):
    with pytest.raises(EmbeddingError, match=said):
        normalise_features(X, ROWS, rule=rule, **known)


def test_robust_scaling_by_hand():
    Y = np.array([[0.0], [1], [2], [3], [4], [1000]], dtype=np.float32)
    Z = normalise_features(Y, np.arange(6), rule="plate-robust", plates=np.repeat("p", 6))
    np.testing.assert_allclose(Z[:, 0], (Y[:, 0] - 2.5) / (1.4826 * 1.5), rtol=1e-5)


def test_percentiles_of_the_controls_become_0_and_1():
    controls = np.arange(100) % 50 < 20
    Z = normalise_features(
        X, np.arange(100), rule="control-percentile", plates=PLATES, controls=controls
    )
    for plate in ("p", "q"):
        low, high = np.percentile(Z[controls & (plate == PLATES)], [1, 99], axis=0)
        np.testing.assert_allclose(low, 0, atol=1e-4)
        np.testing.assert_allclose(high[:3], 1, atol=1e-4)


@pytest.mark.parametrize("rule", ["control-standardise+tvn", "control-robust+tvn"])
def test_typical_variation_has_variance_1_among_the_controls(rule):
    controls = np.arange(100) % 50 < 20
    Z = normalise_features(X, np.arange(100), rule=rule, plates=PLATES, controls=controls)
    np.testing.assert_allclose(np.cov(Z[controls].T), np.eye(Z.shape[1]), atol=1e-4)


@pytest.mark.parametrize("rule", ["tvn", "factor-analysis"])
def test_controls_fewer_than_directions_are_said(rule, caplog):
    whole, few = np.arange(100), np.arange(100) < X.shape[1]
    assert normalise_features(X, whole, rule=rule, controls=few).shape[1] < X.shape[1]
    assert f"{rule} is fitted to {X.shape[1]} negative controls" in caplog.text
    caplog.clear()
    normalise_features(X, whole, rule=rule, controls=whole < 50)
    assert not caplog.text


def test_steps_are_applied_one_after_the_other():
    known = {"plates": PLATES, "controls": np.arange(100) % 2 == 0, "batches": PLATES}
    whole = np.arange(100)
    for rule in ("plate-robust+sphere", "control-robust+control-sphere+control-coral"):
        step_by_step = X
        for step in rule.split("+"):
            step_by_step = normalise_features(step_by_step, whole, rule=step, **known)
        np.testing.assert_array_equal(
            normalise_features(X, whole, rule=rule, **known), step_by_step
        )
        np.testing.assert_allclose(
            normalise_features(X, ROWS, rule=rule, **known), step_by_step[ROWS], atol=1e-4
        )


def test_a_first_step_standardises_by_the_scored_cells():
    Z = normalise_features(X, ROWS, rule="standardise+none")
    np.testing.assert_array_equal(Z, normalise_features(X, ROWS))


def test_harmony_draws_batches_together():
    pytest.importorskip("harmonypy")
    rng = np.random.default_rng(1)
    kinds, batches = np.arange(400) % 2, np.repeat(["a", "b"], 200)
    Y = (
        rng.normal(size=(400, 5))
        + 6 * np.eye(5)[kinds]
        + 4 * np.eye(5)[2] * (batches == "b")[:, None]
    )
    Z = normalise_features(Y, np.arange(400), rule="harmony", batches=batches)
    assert Z.shape == (400, 5)

    def apart(values, parts):
        one, other = np.unique(parts)
        return np.linalg.norm(
            values[parts == one].mean(axis=0) - values[parts == other].mean(axis=0)
        )

    assert apart(Y, batches) > 3
    assert apart(Z, batches) < 1
    assert apart(Z, kinds) > 8
    some = normalise_features(Y, ROWS, rule="harmony", batches=batches)
    np.testing.assert_array_equal(some, Z[ROWS])
    with pytest.raises(EmbeddingError, match="two batches"):
        normalise_features(Y, ROWS, rule="harmony", batches=["a"] * 400)


def test_harmony_without_its_library_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "harmonypy", None)
    with pytest.raises(EmbeddingError, match=r"pip install 'cellssl\[harmony\]'"):
        normalise_features(X, ROWS, rule="harmony", batches=PLATES)
