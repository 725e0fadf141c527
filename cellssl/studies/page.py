"""A study's page: the question, the scores with their intervals, and what each class gains and loses."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from cellssl.files import safe_name, write_csv
from cellssl.phenotypes import differences_by_class, score_difference
from cellssl.phenotypes.evaluation.metrics import TITLES, TOGETHER
from cellssl.phenotypes.evaluation.score_tables import summarise_scores
from cellssl.phenotypes.leakage import USED_PLATES, WEAK_LABELS, marked
from cellssl.report import (
    class_change_figure,
    class_statements,
    correlation_map,
    score_figure,
)
from cellssl.report.page import Bullets, Fold, Picture, Section, Table, Text, write_page
from cellssl.report.sections.scores import score_notes
from cellssl.studies.bias import FEWEST_SETTINGS, class_correlations, class_table
from cellssl.studies.outcome import Outcome, trained_names
from cellssl.studies.provenance import doubt_of_seeds
from cellssl.studies.sections.clusters import clusters_section
from cellssl.studies.sections.runs import runs_section
from cellssl.studies.sections.sweeps import sweeps_section
from cellssl.studies.sections.used_plates import used_plates_section
from cellssl.studies.study import Study
from cellssl.words import gain, with_interval

FURTHER = ("silhouette", "clusters_leiden")
_SUBSETS = {"all": "All classes", USED_PLATES: "Plates whose labels those marked † were given"}


def write_study_page(study: Study, outcome: Outcome) -> Path:
    """Write ``study.html`` and the figures and tables that it shows.

    Returns
    -------
    Path
        The page, one file to forward.
    """
    sections = [
        _finding(study, outcome),
        _scores(outcome),
        sweeps_section(study, outcome),
        _classes(outcome),
        used_plates_section(outcome),
        clusters_section(outcome.contents),
        runs_section(study, outcome),
    ]
    page = outcome.folder / "study.html"
    return write_page(page, title=study.name, subtitle=study.question, sections=sections)


def _finding(study: Study, outcome: Outcome) -> Section:
    """Open with what was found: the best of each kind, and everything in numbers."""
    means = outcome.means[outcome.means["subset"] == "all"]
    blocks: list = [_best(outcome, means), _score_table(means)]
    summary = summarise_scores(outcome.scores)
    shown = (summary["subset"] == "all") & summary["metric"].isin((*TOGETHER, *FURTHER))
    blocks += score_notes(summary[shown])
    if told := doubt_of_seeds(study.seeds):
        blocks.append(Text(told, "warning"))
    if any(len(set(parts)) < len(parts) for parts in study.combine.values()):
        text = (
            "Repetitions of a combination of several seeds of one protocol share trainings: its "
            "interval is narrower than independent repetitions would make it."
        )
        blocks.append(Text(text, "aside"))
    return Section("finding", "Finding", "What was found", blocks)


def _best(outcome: Outcome, means: pd.DataFrame) -> Table:
    """Set the best trained and the best put together against the best baseline, score by score."""
    trained = means["embedding"].isin(trained_names(outcome.scores))
    beside = means["embedding"].isin(outcome.baselines)
    kinds = {"protocol": means[trained], "combination": means[~trained & ~beside]}
    differences = outcome.measured.differences()
    rows = []
    for metric in TOGETHER:
        reference = _highest(means[beside], metric)
        for kind, own in kinds.items():
            best = _highest(own, metric)
            if best is not None:
                told = ["–"] * 3 if reference is None else _lead(differences, best, reference)
                rows.append([TITLES[metric], kind, str(best["embedding"]), _score(best), *told])
    heads = ["score", "kind", "best", "value", "best baseline", "difference", "apart?"]
    caption = (
        "The best of each kind against the best baseline, 95 % intervals over treatments and seeds. "
        "The best of many is chosen on these very scores, which flatters it."
    )
    return Table(heads, rows, caption=caption, numeric=["value", "difference"])


def _highest(means: pd.DataFrame, metric: str) -> "pd.Series | None":
    own = means[means["metric"] == metric]
    return None if own.empty else own.iloc[int(own["value"].to_numpy().argmax())]


def _lead(differences: pd.DataFrame, best: pd.Series, reference: pd.Series) -> list[str]:
    """Name the other, say by how much one is better than it, and whether they are apart."""
    row = score_difference(
        differences, str(best["embedding"]), str(reference["embedding"]), metric=str(best["metric"])
    )
    text = gain(row["difference"], row["low"], row["high"])
    told = "not apart" if not row["apart"] else "more" if row["difference"] > 0 else "less"
    return [str(reference["embedding"]), text, told]


def _scores(outcome: Outcome) -> Section:
    blocks: list = []
    for subset in outcome.means["subset"].unique():
        figure = score_figure(outcome.scores, subset=str(subset), baselines=outcome.baselines)
        caption = (
            f"{_SUBSETS.get(subset, f'Subset {subset}')}: clusters against the label, and what a "
            "nearest-neighbour and a linear classifier find in cells that they did not learn from. "
            "Bars: 95 % intervals over treatments and seeds; what lies right of the dashed line "
            "finds more than the best baseline. Below: how much of it is plate or batch, where "
            "there are several."
        )
        alt = f"Scores of every combination, {subset}"
        blocks.append(Picture(figure, caption, alt, name=f"scores-{safe_name(subset)}"))
    blocks += _apart(outcome)
    return Section("scores", "Scores", "Which protocol tells most", blocks)


def _score_table(means: pd.DataFrame) -> Table:
    metrics = [metric for metric in (*TOGETHER, *FURTHER) if (means["metric"] == metric).any()]
    rows = []
    for name, group in means.groupby("embedding", sort=False):
        found = {str(row["metric"]): row for _, row in group.iterrows()}
        rows.append(
            [marked(name, group["weak"].any()), str(int(group["replicates"].max()))]
            + [_score(found.get(metric)) for metric in metrics]
        )
    heads = ["", "seeds", *(TITLES[metric] for metric in metrics)]
    caption = f"† {WEAK_LABELS}." if means["weak"].any() else ""
    return Table(heads, rows, caption=caption, numeric=heads[1:])


def _score(row: "pd.Series | None") -> str:
    """Write a score and its interval; how many clusters there are, with one decimal."""
    if row is None:
        return "–"
    digits = 1 if row["metric"] == "clusters_leiden" else 3
    low, high = (round(float(row[end]), digits) for end in ("low", "high"))
    # Of one training, where nothing is resampled, nothing is known.
    low, high = (low, high) if low < high else (np.nan, np.nan)
    return with_interval(row["value"], low, high, digits)


def _apart(outcome: Outcome) -> Iterator[Table]:
    """Say which are apart from the first combination: paired over seeds and treatments."""
    differences = outcome.measured.differences()
    own = differences[(differences["subset"] == "all") & differences["metric"].isin(TOGETHER)]
    if own.empty:
        return
    first = own["embedding_a"].iloc[0]
    own = own[(own["embedding_a"] == first) & own["difference"].notna()]
    rows = [
        [
            str(row["embedding_b"]),
            TITLES[str(row["metric"])],
            gain(-row["difference"], -row["high"], -row["low"]),
            "apart" if row["apart"] else "",
        ]
        for _, row in own.iterrows()
    ]
    yield Table(
        ["", "score", f"more than {first}", ""],
        rows,
        caption=f"Differences from {first}, paired over seeds and treatments; 'apart' where the "
        "95 % interval excludes 0.",
        numeric=[f"more than {first}"],
    )


def _classes(outcome: Outcome) -> Section | None:
    """Say what each class gains and loses, and which trade off."""
    per_class, differences = outcome.measured.per_class, outcome.measured.class_differences
    blocks: list = []
    for classifier in ("linear", "knn", "knn_batches"):
        table = class_table(per_class, classifier=classifier)
        if len(table) < 2:
            continue
        first, others = str(table.index[0]), [str(name) for name in table.index[1:]]
        apart = _classes_apart(differences, first, others, classifier)
        figure = class_change_figure(table, reference=first, apart=apart, classifier=classifier)
        framed = (
            "framed where the 95 % interval excludes 0 for all classes of a row at once."
            if apart.eq(True).to_numpy().any()
            else "no 95 % interval excludes 0 for all classes of a row at once, so none is framed."
        )
        caption = (
            f"Class by class, by {TITLES[classifier]}: gains in orange, losses in violet; {framed}"
        )
        blocks.append(Picture(figure, caption, caption, name=f"classes-{classifier}"))
        own = differences[differences["classifier"] == classifier]
        said = [line for name in others for line in class_statements(own, name, [first])]
        blocks.append(Fold(f"The same in words, {TITLES[classifier]}", [Bullets(said)]))
        blocks += _tradeoffs(outcome, table, classifier)
    return Section("classes", "Classes", "Who gains, who loses", blocks) if blocks else None


def _tradeoffs(outcome: Outcome, table: pd.DataFrame, classifier: str) -> Iterator[Picture]:
    """Show which classes gain where others lose, and write it down, where enough settings were trained."""
    trained = table[table.index.isin(trained_names(outcome.scores))]
    if len(trained) < FEWEST_SETTINGS or trained.shape[1] < 2:
        return
    found = class_correlations(trained)
    found.insert(0, "classifier", classifier)
    write_csv(found, outcome.folder / f"class_correlations-{classifier}.csv")
    caption = (
        f"Do classes gain together? Correlation of their accuracies ({TITLES[classifier]}) over "
        f"{len(trained)} settings; violet: one gains where the other loses. Dots: false-discovery rate "
        "below 0.05."
    )
    yield Picture(correlation_map(found), caption, caption, name=f"tradeoffs-{classifier}")


def _classes_apart(
    differences: pd.DataFrame, first: str, others: Sequence[str], classifier: str
) -> pd.DataFrame:
    """Say which classes of which settings are told from the first one's: settings × classes."""
    tables = {
        name: differences_by_class(differences, name, first, classifier=classifier)
        for name in others
    }
    return pd.DataFrame({n: table.set_index("class")["apart"] for n, table in tables.items()}).T
