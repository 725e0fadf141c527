"""What a study's runs say: scored beside baselines, in tidy tables."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from cellssl.crops import Crops
from cellssl.errors import StudyError
from cellssl.files import make_folder, write_csv
from cellssl.phenotypes import Measurements, measure_embeddings, seed_means
from cellssl.studies.baselines import embed_baselines, plan_baselines
from cellssl.studies.combining import put_together
from cellssl.studies.contents import Contents, cluster_contents
from cellssl.studies.execution import EMBEDDING, finished, run_folder, run_states
from cellssl.studies.ledger import Ledger
from cellssl.studies.planning import base_protocol, plan_runs
from cellssl.studies.provenance import read_environments
from cellssl.studies.readiness import study_label
from cellssl.studies.study import Study
from cellssl.words import counted


@dataclass(frozen=True)
class Outcome:
    """What a study found.

    Attributes
    ----------
    scores : DataFrame
        The tidy score table, with a column for each axis.
    measured : Measurements
        Its scores with their draws.
    missing : mapping
        Run's folder → its state, of those that are not finished.
    baselines : tuple of str
        Names of the embeddings that no run of the study made, and none is put together of.
    environments : mapping
        Folder of each finished run → what its ``environment.json``, if there, says: device, date, software.
    crops : Crops
        What all was trained and scored on.
    folder : Path
        Holds scores.csv, differences.csv, per_class.csv, confusion.csv, runs.csv, and of galleries
        clusters.csv and clusters_explained.csv.
    contents : Contents or None
        What the clusters hold, where the study asks for galleries.
    """

    scores: pd.DataFrame
    measured: Measurements
    missing: Mapping[str, str]
    baselines: tuple[str, ...]
    environments: Mapping[str, Mapping[str, Any]]
    crops: Crops
    folder: Path
    contents: Contents | None = None

    def __repr__(self) -> str:
        names = self.scores["embedding"].nunique()
        return (
            f"Outcome({counted(names, 'embedding')}, {len(self.missing)} unfinished, {self.folder})"
        )

    @property
    def means(self) -> pd.DataFrame:
        """The scores that have a value, each the mean over its trainings."""
        return seed_means(self.scores).dropna(subset="value")


def score_study(
    study: Study,
    crops: str | Path,
    out: str | Path,
    *,
    used_plates: bool = False,
    device: str = "auto",
    progress: bool = True,
) -> Outcome:
    """Score whatever is finished, beside baselines, on the same cells.

    Parameters
    ----------
    study, crops, out, device, progress
        As for `carry_out`.
    used_plates : bool
        Of a study that scores held-out plates: score the others too, as `cellssl.evaluate` does.

    Raises
    ------
    StudyError
        When no run is finished, or used plates are asked for and the study scores all plates.
    """
    if used_plates and not study.held_out:
        raise StudyError(
            f"{study.name} does not score held-out plates, so that there are no used ones beside them: "
            "leave --used-plates out, or put `held_out: true` into the study"
        )
    out, opened, protocol = Path(out), Crops.open(crops), base_protocol(study)
    crops = opened.path
    there = embedded_runs(study, crops, out)
    ledger = Ledger(make_folder(out / "beside") / "finished.json")
    paths = [*there.values(), *put_together(study.combine, range(study.seeds), there, ledger)]
    beside, absent = embed_baselines(
        plan_baselines(study.weights, protocol, orientations=study.orientations, device=device),
        crops,
        ledger.path.parent,
        ledger,
        seeds=range(study.seeds),
        where=study.where,
        device=device,
        progress=progress,
    )
    measured = measure_embeddings(
        [*paths, *dict.fromkeys(beside.values())],
        label=study_label(study, opened.obs),
        subsets=study.subsets or None,
        held_out=study.held_out,
        used_plates=used_plates,
        normalise=study.normalise,
        absent=absent,
        progress=progress,
    )
    contents = None
    if study.galleries:
        contents = cluster_contents(measured, opened, protocol, study.galleries)
    opened.close()
    scores, missing = _save(study, crops, measured, contents, out)
    own = trained_names(scores) | set(study.combine)
    return Outcome(
        scores,
        measured,
        missing,
        tuple(name for name in dict.fromkeys(scores["embedding"]) if name not in own),
        read_environments({path.parent.name: path.parent for path in there.values()}),
        opened,
        out,
        contents,
    )


def embedded_runs(study: Study, crops: Path, out: Path) -> dict[tuple[str, int], Path]:
    """Find the embeddings of all runs that are finished: combination and seed → file.

    Raises
    ------
    StudyError
        When there is none.
    """
    runs = plan_runs(study)
    there = {
        (run.combination, run.seed): run_folder(out, run) / EMBEDDING
        for run in runs
        if finished(run_folder(out, run), run, study, crops)
    }
    if not there:
        mend = "`cellssl study run` it first, `cellssl study status` says how far each is"
        if any(finished(run_folder(out, run), run, study) for run in runs):
            mend = (
                "those that are finished there are of other crops, or of these before they were changed; "
                "give theirs, or run the study on these"
            )
        raise StudyError(f"no run of {study.name} on {crops} is finished in {out}: {mend}")
    return there


def _save(
    study: Study, crops: Path, measured: Measurements, contents: Contents | None, out: Path
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Write the tables, with a column for each axis; give the scores, and the states of unfinished runs."""
    measured.save(out)
    settings = pd.DataFrame({run.combination: dict(run.settings) for run in plan_runs(study)}).T
    scores = _with_axes(measured.scores, settings)
    states = run_states(study, out, crops)
    tables = {
        "scores.csv": scores,
        "per_class.csv": _with_axes(measured.per_class, settings),
        "runs.csv": states,
    }
    if contents is not None:
        tables |= {"clusters.csv": contents.clusters, "clusters_explained.csv": contents.explained}
    for file, table in tables.items():
        write_csv(table, out / file)
    missing = states[states["state"] != "finished"]
    return scores, dict(zip(missing["run"], missing["state"], strict=True))


def trained_names(scores: pd.DataFrame) -> set[str]:
    """Name the combinations of settings in a study's table: what has settings was trained."""
    axes = list(scores.columns[: scores.columns.get_loc("embedding")])
    return set(scores.loc[scores[axes].notna().all(axis=1), "embedding"])


def _with_axes(table: pd.DataFrame, settings: pd.DataFrame) -> pd.DataFrame:
    """Say which setting of each axis an embedding had; nothing for baselines."""
    return table.join(settings, on="embedding")[[*settings, *table]]
