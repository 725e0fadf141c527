"""Reading tables of differences: one embedding against another, in either direction."""

import pandas as pd


def differences_between(differences: pd.DataFrame, one: str, other: str) -> pd.DataFrame:
    """Find by how much one embedding is better than another, whichever the table names first.

    Parameters
    ----------
    differences : DataFrame
        `Measurements.differences()` or `Measurements.class_differences`.
    one, other : str
        Names of embeddings.

    Returns
    -------
    DataFrame
        The rows of these two: embedding_a is `one`, and difference, low and high are one − other.
        No rows where they were not compared.

    Examples
    --------
    >>> row = ["a", "b", 0.25, 0.125, 0.5]
    >>> table = pd.DataFrame([row], columns=["embedding_a", "embedding_b", "difference", "low", "high"])
    >>> differences_between(table, "b", "a")[["difference", "low", "high"]].to_numpy().tolist()
    [[-0.25, -0.5, -0.125]]
    """
    first, second = differences["embedding_a"], differences["embedding_b"]
    forward = differences[(first == one) & (second == other)]
    back = differences[(first == other) & (second == one)]
    turned = back.assign(
        embedding_a=one,
        embedding_b=other,
        difference=-back["difference"],
        low=-back["high"],
        high=-back["low"],
    )
    return turned if forward.empty else forward


def score_difference(
    differences: pd.DataFrame, one: str, other: str, *, metric: str, subset: str = "all"
) -> pd.Series:
    """Find by how much one embedding is better than another, in whatever order the table has them.

    Returns
    -------
    Series
        difference (one − other), low, high, apart.

    Raises
    ------
    IndexError
        When the two were not compared by that metric.
    """
    own = differences[(differences["subset"] == subset) & (differences["metric"] == metric)]
    row = differences_between(own, one, other).iloc[0]
    return row[["difference", "low", "high", "apart"]]


def differences_by_class(
    differences: pd.DataFrame, one: str, other: str, *, classifier: str
) -> pd.DataFrame:
    """Find by how much one embedding is better than another in each class, of all classes, by one classifier."""
    own = differences[(differences["subset"] == "all") & (differences["classifier"] == classifier)]
    return differences_between(own, one, other)
