"""Which protocol complements which: what two embeddings tell together, beyond the better of them."""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import anndata as ad
import pandas as pd

from cellssl.crops import Crops
from cellssl.errors import StudyError
from cellssl.files import write_csv
from cellssl.phenotypes import (
    Measurement,
    Measurements,
    differences_by_class,
    measure_embeddings,
    score_difference,
    seed_means,
)
from cellssl.phenotypes.evaluation.metrics import TOGETHER
from cellssl.progress import track
from cellssl.studies.combining import combined, repetitions_of
from cellssl.studies.outcome import embedded_runs
from cellssl.studies.readiness import study_label
from cellssl.studies.study import Study
from cellssl.words import counted

PAIR = ["setting_a", "setting_b"]


@dataclass(frozen=True)
class Complement:
    """What pairs of protocols add.

    Attributes
    ----------
    gains : DataFrame
        setting_a, setting_b (the same: two seeds of it), better (of the two, by this score), subset,
        metric, value (of the pair), better_value, gain, low, high, apart; pairs that gain most
        in all scores together come first.
    classes : DataFrame
        setting_a, setting_b, better, classifier, class, accuracy, better_accuracy, gain, low, high, apart, n: over
        all classes, whose intervals hold for all of a pair at once.
    folder : Path
        Holds complement.csv and complement_per_class.csv.
    """

    gains: pd.DataFrame
    classes: pd.DataFrame
    folder: Path

    def __repr__(self) -> str:
        pairs = len(self.gains[PAIR].drop_duplicates())
        return f"Complement({counted(pairs, 'pair')}, {self.folder})"

    @property
    def best(self) -> tuple[str, str]:
        """The pair of two protocols that gains most."""
        a, b = self.gains.loc[_two_protocols(self.gains), PAIR].iloc[0]
        return str(a), str(b)


def complement(
    study: Study, crops: str | Path, out: str | Path, *, progress: bool = True
) -> Complement:
    """Put every two combinations of a study side by side, seed by seed, and score what that adds.

    Two seeds of each combination stand beside them: what a pair adds beyond those, it owes to the
    protocols and not to the number of features.

    Parameters
    ----------
    study, out : Study, path
        As for `carry_out`; whatever is finished is looked at.
    crops : path
        The crop file.
    progress : bool
        Whether a bar is drawn.

    Raises
    ------
    StudyError
        When fewer than two combinations are finished.
    """
    out, opened = Path(out), Crops.open(crops)
    there = embedded_runs(study, opened.path, out)
    names = list(dict.fromkeys(name for name, _ in there))
    if len(names) < 2:
        raise StudyError(
            f"a pair needs two combinations, but only {names[0]!r} is finished in {out}"
        )
    pairs = {
        pair_name(a, b): (a, b)
        for a, b in itertools.combinations_with_replacement(names, 2)
        if a != b or study.seeds > 1
    }
    label = study_label(study, opened.obs)
    measured = _measure(study, there, pairs, label=label, progress=progress)
    compared = _side_by_side(measured, pairs, progress=progress)
    gains = pd.DataFrame(_gains(measured, compared, pairs))
    if gains.empty or not _two_protocols(gains).any():
        raise StudyError("no pair could be scored: no seed is finished of two combinations")
    found = Complement(_ordered(gains), pd.DataFrame(_class_gains(measured, compared, pairs)), out)
    write_csv(found.gains, out / "complement.csv")
    write_csv(found.classes, out / "complement_per_class.csv")
    return found


def _two_protocols(gains: pd.DataFrame) -> pd.Series:
    """Tell the pairs of two protocols from two seeds of one."""
    return gains["setting_a"] != gains["setting_b"]


def pair_name(a: str, b: str) -> str:
    """Name a pair."""
    return f"{a}, two seeds" if a == b else f"{a} + {b}"


def _measure(
    study: Study,
    there: dict[tuple[str, int], Path],
    pairs: dict[str, tuple[str, str]],
    *,
    label: str,
    progress: bool,
) -> Measurements:
    """Score singles and pairs on the same cells with the same draws, a few in memory at a time."""
    total = len({name for name, _ in there}) + len(pairs)
    groups: Iterable[list[Path | ad.AnnData]] = filter(None, _groups(study, there, pairs))
    if study.held_out:  # which cells are scored follows from all trainings: score them at once
        groups = [[one for group in groups for one in group]]

    measured = [
        measure_embeddings(
            group,
            label=label,
            subsets=study.subsets or None,
            held_out=study.held_out,
            normalise=study.normalise,
            progress=progress and study.held_out,
        )
        for group in track(groups, "scoring", total=total, shown=progress and not study.held_out)
    ]
    entries = tuple(entry for one in measured for entry in one.entries)
    first = measured[0]
    return Measurements(entries, first.label, first.normalisation, first.counts)


def _groups(
    study: Study, there: dict[tuple[str, int], Path], pairs: dict[str, tuple[str, str]]
) -> Iterator[list[Path | ad.AnnData]]:
    """Give the trainings of each single, then those of each pair, which are put together when they are asked for."""
    for name in dict.fromkeys(name for name, _ in there):
        yield [path for (own, _), path in there.items() if own == name]
    for name, parts in pairs.items():
        repeated = repetitions_of(parts, range(study.seeds), there)
        yield [combined(files, name, seed) for seed, files in repeated]


def _side_by_side(
    measured: Measurements, pairs: Mapping[str, tuple[str, str]], *, progress: bool
) -> dict[str, Measurements]:
    """Give the scores of each pair with those of its two: differences of all from all grow with the fourth power."""
    entries: dict[str, list[Measurement]] = {}
    for entry in measured.entries:
        entries.setdefault(entry.embedding, []).append(entry)
    found = {}
    for pair in track([pair for pair in pairs if pair in entries], "comparing", shown=progress):
        names = dict.fromkeys([*pairs[pair], pair])
        own = tuple(entry for name in names for entry in entries[name])
        found[pair] = replace(measured, entries=own)
        found[pair].differences(), found[pair].class_differences  # made here, behind the bar
    return found


def _gains(
    measured: Measurements, compared: Mapping[str, Measurements], pairs: dict[str, tuple[str, str]]
) -> Iterator[dict[str, object]]:
    """Compare each pair with the better of its two, score by score."""
    scores = measured.scores
    means = seed_means(scores)
    for subset, metric in itertools.product(dict.fromkeys(scores["subset"]), TOGETHER):
        own = means[(means["subset"] == subset) & (means["metric"] == metric)]
        values = own.set_index("embedding")["value"]
        for pair, parts in pairs.items():
            if pair not in values or not values[[pair, *parts]].notna().all():
                continue
            better = max(parts, key=lambda name: values[name])
            differences = compared[pair].differences()
            row = score_difference(differences, pair, better, metric=metric, subset=subset)
            yield {
                **dict(zip(PAIR, parts, strict=True)),
                "better": better,
                "subset": subset,
                "metric": metric,
                "value": values[pair],
                "better_value": values[better],
                "gain": row["difference"],
                **{name: row[name] for name in ("low", "high", "apart")},
            }


def _ordered(gains: pd.DataFrame) -> pd.DataFrame:
    """Put the pairs first that gain most over all classes."""
    total = gains[gains["subset"] == "all"].groupby(PAIR)["gain"].mean()
    order = total.sort_values(ascending=False).index
    groups = dict(iter(gains.groupby(PAIR)))
    return pd.concat([groups[pair] for pair in order], ignore_index=True)


def _class_gains(
    measured: Measurements, compared: Mapping[str, Measurements], pairs: dict[str, tuple[str, str]]
) -> Iterator[dict[str, object]]:
    """Compare each pair with its better one class by class."""
    table = seed_means(measured.per_class)
    table = table[table["subset"] == "all"]
    for classifier, own in table.groupby("classifier", sort=False):
        accuracies = own.set_index(["embedding", "class"])["accuracy"]
        means = accuracies.groupby("embedding").mean()
        for pair, parts in pairs.items():
            if not {pair, *parts} <= set(means.index):
                continue
            better = max(parts, key=lambda name: means[name])
            told = differences_by_class(
                compared[pair].class_differences, pair, better, classifier=str(classifier)
            )
            for row in told.to_dict("records"):
                yield {
                    **dict(zip(PAIR, parts, strict=True)),
                    "better": better,
                    "classifier": classifier,
                    "class": row["class"],
                    "accuracy": accuracies[pair, row["class"]],
                    "better_accuracy": accuracies[better, row["class"]],
                    "gain": row["difference"],
                    **{name: row[name] for name in ("low", "high", "apart", "n")},
                }
