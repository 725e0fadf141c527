"""How good the embedding is, next to what it has to beat, and how much of it is plate and batch."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from cellssl.columns import bare_name, texts_of
from cellssl.phenotypes.evaluation.confounders import CONFOUNDERS
from cellssl.phenotypes.evaluation.metrics import LEADING, TITLES, TOGETHER
from cellssl.phenotypes.evaluation.score_tables import summarise_scores
from cellssl.phenotypes.leakage import WEAK_LABELS, marked
from cellssl.report.figures.scores import is_baseline, score_figure
from cellssl.report.page import Block, Bullets, Fold, Picture, Section, Table, Text
from cellssl.words import listed, number, with_interval

MAIN = (*LEADING, "ami_leiden", "knn_top1", "linear_top1", "silhouette")
CLUSTERED, TOLD = (tuple(f"{kind}_{name}" for name in CONFOUNDERS) for kind in ("ami", "linear"))
CONFOUNDED = (*CLUSTERED, *TOLD)

# A plate of the same week shares its staining and background: a class of that week is told by them.
BATCHES = (
    "“Other batches” asks the same of cells of other batches only, among the classes that lie in several: what "
    "falls from plates to batches was told by staining and background. "
)


def scores_section(scores: pd.DataFrame | None, label: str | None) -> Section | None:
    """Build the score table, the figure and the confounders; missing baselines are named."""
    if scores is None or scores.empty:
        return None
    own = _of_label(scores, label)
    summary = summarise_scores(own)
    known = summary[summary["value"].notna()]
    subsets = sorted(dict.fromkeys(summary["subset"]), key=lambda subset: subset != "all")
    first, *others = (known[known["subset"] == subset] for subset in subsets)
    name = bare_name(label or "the label")
    caption = f"Agreement with {name}; higher is better, the best of each column is bold"
    shown = summary[summary["metric"].isin((*MAIN, *CONFOUNDED))]
    noted = [score_notes(shown[shown["subset"] == subset]) for subset in subsets]
    blocks: list[Block] = [_table(first, MAIN, caption), *noted[0]]
    blocks += _figure(own, first)
    blocks.append(Text(_explanation(own, name), tone="aside"))
    blocks += [*_confounders(first), *_followed(first, name)]
    for subset, rows, notes in zip(subsets[1:], others, noted[1:], strict=True):
        inner = [_table(rows, MAIN, ""), *notes, *_figure(own, rows), *_confounders(rows)[:-1]]
        blocks.append(Fold(f"The same for the subset {subset}", inner))
    blocks += _weak(summary)
    return Section("scores", "Scores", "Scores beside baselines", blocks, lead=_lead(first))


def _of_label(scores: pd.DataFrame, label: str | None) -> pd.DataFrame:
    """Keep the rows of this label, and those of baselines that have no scores at all."""
    if label is None:
        return scores
    text = texts_of(scores["label"])
    matching = text.map(bare_name) == bare_name(label)
    return scores[matching | (text == "")] if matching.any() else scores


def _names(summary: pd.DataFrame) -> list[str]:
    """Order embeddings: those trained on cells first, baselines after them."""
    names = list(dict.fromkeys(summary["embedding"].astype(str)))
    return sorted(names, key=is_baseline)


def _table(scores: pd.DataFrame, metrics: Sequence[str], caption: str) -> Table:
    """Write one row an embedding, with the interval of each number."""
    metrics = [metric for metric in metrics if (scores["metric"] == metric).any()]
    names, rows = _names(scores), []
    for name in names:
        own = scores[scores["embedding"] == name].set_index("metric")
        numbers = own.reindex(metrics)[["value", "low", "high"]].to_numpy(dtype=float)
        cells = [with_interval(*score) for score in numbers]
        kind = " (baseline)" if is_baseline(name) else ""
        rows.append(
            [marked(name, own["weak"].any()) + kind, *cells, str(int(own["seeds"].max()) or "–")]
        )
    columns = [TITLES[metric] for metric in metrics]
    bold = {
        (names.index(str(values.idxmax())), i + 1)
        for i, metric in enumerate(metrics)
        if metric not in CONFOUNDED
        and len(values := scores[scores["metric"] == metric].set_index("embedding")["value"]) > 1
    }
    numeric = [*columns, "seeds"]
    return Table(["embedding", *numeric], rows, caption, numeric=numeric, bold=frozenset(bold))


def score_notes(summary: pd.DataFrame) -> list[Block]:
    """Say why a number is missing and how to get it; what holds for all embeddings is said once.

    `summary` is what `summarise_scores` gives.
    """
    said: dict[str, list[str]] = {}
    for name in _names(summary):
        own = summary[summary["embedding"] == name]
        notes = [_of_scores(note, own) for note in dict.fromkeys(own["note"]) if note]
        absent = own["value"].isna().all()
        for note in notes or ["it could not be computed"] * bool(absent):
            said.setdefault(note, []).append(f"{name} (no score)" if absent else name)
    count = len(_names(summary))
    items = [
        ("All:" if len(names) == count > 1 else f"{', '.join(names)}:", notes)
        for notes, names in said.items()
    ]
    return [Bullets(items)] if items else []


def _of_scores(note: str, own: pd.DataFrame) -> str:
    """Say of which scores a note is, unless it is of all that an embedding has."""
    metrics = own.loc[own["note"] == note, "metric"]
    if len(metrics) == len(own):
        return note
    return f"{listed([TITLES.get(metric, metric) for metric in metrics])}: {note}"


def _figure(scores: pd.DataFrame, rows: pd.DataFrame) -> list[Block]:
    """Draw the scores of one subset, of which `rows` are the summary."""
    if rows.empty:
        return []
    caption = (
        "Each dot is an embedding and its bar the 95 % interval; hollow dots are baselines, and "
        "what lies left of the dashed line (the best baseline) has not earned its training."
    )
    if rows["metric"].isin(CONFOUNDED).any():
        caption += " In the lower row less is better."
    alt = "Dot plot of the scores of each embedding with 95 % intervals"
    return [Picture(score_figure(scores, subset=rows["subset"].iloc[0]), caption, alt)]


def _explanation(scores: pd.DataFrame, name: str) -> str:
    several = (scores["metric"] == "knn_batches").any()
    scores = scores[scores["metric"].isin(("knn", "linear", "knn_top1", "linear_top1"))]
    splits = [text for text in texts_of(scores["split"]).unique() if text not in ("", "none")]
    source = f"cells on other {listed(splits)}" if splits else "other cells"
    if splits in (["test set"], ["validation set"]):
        source = f"the training set, for the {splits[0]}’s images"
    return (
        f"AMI asks whether clusters found without labels agree with {name} (0: no more than by "
        f"chance, 1: entirely). kNN and linear ask how often a cell’s {name} can be read from "
        f"{source} (balanced accuracy). {BATCHES if several else ''}Silhouette says how separate "
        "the labels lie. Brackets are 95 % intervals."
    )


def _lead(scores: pd.DataFrame) -> str:
    """Say whether training beat the best baseline, by intervals and not by the mean alone."""
    base = scores["embedding"].map(lambda name: is_baseline(str(name))).astype(bool)
    said = []
    for metric in TOGETHER:
        own = scores[(scores["metric"] == metric) & ~base]
        rivals = scores[(scores["metric"] == metric) & base]
        if own.empty or rivals.empty:
            continue
        best, rival = own.iloc[own["value"].argmax()], rivals.iloc[rivals["value"].argmax()]
        apart = best["low"] > rival["high"] or best["high"] < rival["low"]
        verb = ("" if apart else "not clearly ") + (
            "above" if best["value"] > rival["value"] else "below"
        )
        said.append(
            f"{TITLES[metric]} {number(best['value'])} is {verb} {rival['embedding']} "
            f"({number(rival['value'])})"
        )
    if not said:
        return "How well clusters and neighbours agree with the labels."
    return "The best encoder trained on cells against the best baseline: " + "; ".join(said) + "."


def _confounders(scores: pd.DataFrame) -> list[Block]:
    """Put agreement with plate, batch and place beside agreement with the label."""
    if not scores["metric"].isin(CONFOUNDED).any():
        text = "There is one plate: how much of the clusters is plate or batch cannot be told."
        return [Text(text, tone="aside")]
    captions = {
        CLUSTERED: "Biology or batch? The same clusters against label, plate, batch and place on the plate",
        TOLD: "How well a linear model reads plate, batch and place from the features of other wells or plates "
        "(balanced accuracy: chance is one by their number)",
    }
    blocks: list[Block] = [
        _table(scores, ("ami_kmeans" if metrics is CLUSTERED else "linear", *metrics), caption)
        for metrics, caption in captions.items()
        if scores["metric"].isin(metrics).any()
    ]
    text = (
        "Where clusters agree with plate or batch about as much as with the label, they may show staining "
        "rather than biology; some agreement is unavoidable when a treatment stands on few plates."
    )
    return [*blocks, Text(text, tone="aside")]


def _followed(scores: pd.DataFrame, label: str) -> list[Block]:
    """Warn of embeddings trained on cells whose clusters are plates or batches rather than the label."""
    here = scores.set_index(["embedding", "metric"])
    texts = []
    for name in _names(scores):
        for other in ("plate", "batch"):
            keys = [(name, "ami_kmeans"), (name, f"ami_{other}")]
            if is_baseline(name) or not set(keys) <= set(here.index):
                continue
            rows: list[Any] = [here.loc[key] for key in keys]
            own, confounder = rows
            if confounder["low"] > own["high"]:
                texts.append(
                    f"Clusters of {name} agree with the {other} (AMI {number(confounder['value'])}) more than with "
                    f"{label} ({number(own['value'])}): unless each {label} has its own {other}, they show staining or "
                    "imaging. `cellssl evaluate --normalise plate-robust` says what is left without that of the plates."
                )
    return [Text(text, tone="warning") for text in texts]


def _weak(summary: pd.DataFrame) -> list[Block]:
    weak = sorted(set(summary.loc[summary["weak"], "embedding"].astype(str)))
    if not weak:
        return []
    text = (
        f"† {listed(weak)}: {WEAK_LABELS}. That lifts every score on plates whose labels "
        "the training used; only scores on other plates are a fair comparison."
    )
    return [Text(text, tone="warning")]
