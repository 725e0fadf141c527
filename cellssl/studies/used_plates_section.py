"""A part of a study's page: how far weak labels mislead on the plates that they were taken from."""

import pandas as pd

from cellssl.phenotypes.leakage import USED_PLATES
from cellssl.report.figures.scores import METRICS
from cellssl.report.page import Section, Table
from cellssl.studies.outcome import TOGETHER, Outcome

__all__ = ["used_plates_section"]

_CAPTION = (
    "Scores on plates whose labels no training used, beside those on the plates whose labels the "
    "trainings marked † were given: of these the second number says nothing of new plates. The plates "
    "differ in cells and classes too; how much of a gap that is, the embeddings without a mark show."
)


def used_plates_section(outcome: Outcome) -> Section | None:
    """Set the scores on used plates beside those on held-out ones; None where they were not asked for."""
    scores = outcome.scores
    means = scores[(scores["seed"].astype(str) == "mean") & scores["value"].notna()]
    found = {
        (str(row["subset"]), str(row["embedding"]), str(row["metric"])): row
        for _, row in means.iterrows()
    }
    if all(subset != USED_PLATES for subset, _, _ in found):
        return None
    rows = []
    for name in dict.fromkeys(means["embedding"].astype(str)):
        for metric in TOGETHER:
            both = [found.get((subset, name, metric)) for subset in ("all", USED_PLATES)]
            if both[0] is not None and both[1] is not None:
                rows.append(_row(name, METRICS[metric], both[0], both[1]))
    heads = ["", "score", "held-out plates", USED_PLATES, "gap"]
    blocks = [Table(heads, rows, caption=_CAPTION, numeric=heads[2:])]
    return Section("used-plates", "Used plates", "Where weak labels were used", blocks)


def _row(name: str, metric: str, held: pd.Series, used: pd.Series) -> list[str]:
    """Write both scores with their intervals, and the gap."""
    both = [f"{s['value']:.3f} ({s['low']:.3f} to {s['high']:.3f})" for s in (held, used)]
    gap = float(used["value"] - held["value"])
    return [name + " †" * bool(used["weak"]), metric, *both, f"{gap:+.3f}"]
