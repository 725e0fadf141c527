"""Results on the screen: scores, matches, gains and losses of classes, combinations."""

from typing import TYPE_CHECKING

from cellssl.cli.shell import say, show_table
from cellssl.columns import texts_of
from cellssl.words import gain, with_interval

if TYPE_CHECKING:
    import anndata as ad
    import pandas as pd


# What stands behind the leading scores where there is little room.
_FURTHER = ("ami_predictions", "predictions", "ami_plate", "linear_plate")
_DOUBTS = "cannot be found|passes for the label"  # of a score that is there


def show_scores(scores: "pd.DataFrame") -> None:
    """Print the headline scores with 95 % intervals: a row per embedding and subset."""
    if scores.empty:
        return
    from cellssl.phenotypes import seed_means
    from cellssl.phenotypes.evaluation.metrics import LEADING, TITLES
    from cellssl.phenotypes.leakage import WEAK_LABELS, marked

    heads = ["embedding", "subset"] if len(set(scores["subset"])) > 1 else ["embedding"]
    shown = [metric for metric in (*LEADING, *_FURTHER) if metric in set(scores["metric"])]
    rows = []
    for (embedding, subset), group in scores.groupby(["embedding", "subset"], sort=False):
        means = seed_means(group).set_index("metric").reindex(shown)
        numbers = means[["value", "low", "high"]].to_numpy(dtype=float)
        named = [marked(embedding, group["weak"].any()), str(subset)][: len(heads)]
        rows.append([*named, *(with_interval(*score) for score in numbers)])
    columns = [*heads, *(TITLES[metric] for metric in shown)]
    show_table(f"Scores by {scores['label'].iloc[0]}, with 95 % intervals", columns, rows)
    for note in _notes(scores[scores["metric"].isin(shown)]):
        say(note)
    if scores["weak"].any():
        say(f"† {WEAK_LABELS}; supervised: told the labels themselves")


def _notes(scores: "pd.DataFrame") -> list[str]:
    """Say which classes cannot be found, when plates tell them, and why a score is missing where others are there."""
    from cellssl.phenotypes.evaluation.metrics import ANSWERS, TITLES

    notes = texts_of(scores["note"])
    there = scores["value"].notna()
    # What an absent baseline lacks is said elsewhere; where nothing is scored at all, nowhere.
    measured = there.groupby(scores["embedding"], observed=True).transform("any")
    if not there.any():
        measured = ~there
    # Of the others, a plate or a batch may well be one only.
    told = scores["metric"].isin(ANSWERS) & ~there & measured & (notes != "")
    lost: dict[str, list[str]] = {}
    for metric, note in zip(scores["metric"][told], notes[told], strict=True):
        lost.setdefault(note, []).append(TITLES[metric])
    missing = [f"no {', '.join(dict.fromkeys(heads))}: {note}" for note, heads in lost.items()]
    return [*dict.fromkeys(notes[notes.str.contains(_DOUBTS) & there]), *missing]


def show_matches(scores: "pd.DataFrame") -> None:
    """Print how many treatments' nearest one shares the mechanism, where that was asked."""
    from cellssl.phenotypes import seed_means

    found = seed_means(scores[scores["metric"].isin(["nsc", "nscb"])])
    if found.empty:
        return
    rows = []
    for (embedding, subset), group in found.groupby(["embedding", "subset"], sort=False):
        numbers = group[["value", "n", "low", "high"]].to_numpy(dtype=float)
        texts = [
            f"{value * n:.4g} of {n:.0f} ({low:.2f}–{high:.2f})" if n else "–"
            for value, n, low, high in numbers
        ]
        rows.append([str(embedding), str(subset), *texts])
    title = "Nearest treatment of the same mechanism, another compound (NSC) and batch (NSCB)"
    show_table(title, ["embedding", "subset", "NSC", "NSCB"], rows)
    for note in dict.fromkeys(found["note"]):
        if note:
            say(note)


def show_classes(scores: "pd.DataFrame", differences: "pd.DataFrame") -> None:
    """Say which classes the first embedding gains and loses against the others."""
    from cellssl.report import class_statements

    names = list(dict.fromkeys(scores["embedding"]))
    for head, text in class_statements(differences, names[0], names[1:]):
        say(f"{head} {text}")


def show_gains(title: str, head: str, gains: "pd.DataFrame") -> None:
    """Print gains with 95 % intervals: a row per `name`, a column per score; * where 0 is excluded."""
    from cellssl.phenotypes.evaluation.metrics import TITLES

    metrics = list(dict.fromkeys(gains["metric"]))
    rows = []
    for name, group in gains.groupby("name", sort=False):
        cells = {row["metric"]: write_gain(row) for _, row in group.iterrows()}
        rows.append([str(name), *(cells.get(metric, "–") for metric in metrics)])
    show_table(title, [head, *(TITLES[metric] for metric in metrics)], rows)


def write_gain(row: "pd.Series") -> str:
    """Write a gain and, where there is one, its interval; * where that excludes 0."""
    return gain(row["gain"], row["low"], row["high"]) + " *" * bool(row["apart"])


def say_combined(combined: "ad.AnnData") -> None:
    """Say what a combination is made of."""
    about = combined.uns["cellssl"]
    for block in about["blocks"].values():
        say(f"  {block['name']}: {block['features']} features, {block['features_that_vary']} vary")
    say(f"{combined.n_obs:,} cells, {combined.n_vars} features in {len(about['blocks'])} blocks")
