"""What a study's runs say: combined, scored beside baselines, in tidy tables."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd

from cellssl.errors import ModelError, StudyError
from cellssl.files import atomic, make_folder
from cellssl.phenotypes import Measurements, combine, measure_embeddings
from cellssl.protocols import load
from cellssl.studies.baselines import plan_baselines
from cellssl.studies.execution import EMBEDDING, finished, run_folder, run_states
from cellssl.studies.ledger import Ledger
from cellssl.studies.planning import PlannedRun, plan_runs
from cellssl.studies.study import Study

__all__ = ["Outcome", "score_study"]

_LOG = logging.getLogger(__name__)


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
    folder : Path
        Holds scores.csv, differences.csv, per_class.csv, confusion.csv, runs.csv.
    """

    scores: pd.DataFrame
    measured: Measurements
    missing: Mapping[str, str]
    folder: Path


def score_study(
    study: Study,
    crops: str | Path,
    out: str | Path,
    *,
    baselines: Mapping[str, Path | None] | None = None,
    device: str = "auto",
    progress: bool = True,
) -> Outcome:
    """Score whatever is finished, beside baselines, on the same cells.

    Parameters
    ----------
    study, crops, out, device, progress
        As for `carry_out`.
    baselines
        Model → file of weights (None: by name), instead of the study's own.

    Raises
    ------
    StudyError
        When no run is finished.
    """
    crops, out = Path(crops), make_folder(out)
    runs = plan_runs(study)
    there = [run for run in runs if finished(run_folder(out, run), crops, run, study.where)]
    if not there:
        raise StudyError(
            f"no run of {study.name} is finished in {out}: `cellssl study run` it first"
        )
    wanted = baselines if baselines is not None else _own_baselines(study)
    ledger = Ledger(make_folder(out / "beside") / "finished.json")
    paths = [run_folder(out, run) / EMBEDDING for run in there]
    paths += list(_combined(study, there, out, ledger))
    absent: dict[str, str] = {}
    for baseline in plan_baselines(wanted, load(study.protocol), device=device):
        for seed in range(study.seeds if baseline.model.startswith("random") else 1):
            seeded = baseline.with_seed(seed)
            path = ledger.path.parent / seeded.file
            inputs = {**seeded.inputs(crops), "where": study.where}
            try:
                if not ledger.holds(path.name, inputs):
                    seeded.embed(crops, path, where=study.where, device=device, progress=progress)
                    ledger.record(path.name, inputs, [path])
            except ModelError as error:
                _LOG.warning("%s", error)
                absent[baseline.model] = str(error)
                break
            paths.append(path)
    measured = measure_embeddings(
        paths,
        label=study.label,
        subsets=study.subsets or None,
        held_out=study.held_out,
        normalise=study.normalise,
        absent=absent,
        progress=progress,
    )
    return _save(study, runs, measured, out)


def _own_baselines(study: Study) -> dict[str, Path | None]:
    return {name: None if file is None else Path(file) for name, file in study.baselines.items()}


def _combined(study: Study, there: list[PlannedRun], out: Path, ledger: Ledger) -> Iterator[Path]:
    """Put embeddings side by side, seed by seed, where all of them are there."""
    paths = {(run.combination, run.seed): run_folder(out, run) / EMBEDDING for run in there}
    for number, (name, parts) in enumerate(study.combine.items()):
        for seed in range(study.seeds):
            # The second time that a combination is named it gives its next seed.
            chosen = [
                (part, (seed + parts[:place].count(part)) % study.seeds)
                for place, part in enumerate(parts)
            ]
            if not all(key in paths for key in chosen):
                continue
            files = [paths[key] for key in chosen]
            path = ledger.path.parent / f"combined{number}-seed{seed}.h5ad"
            inputs = {"name": name, "files": [_stamp(file) for file in files]}
            if not ledger.holds(path.name, inputs):
                joined = combine(files, name=name)
                joined.uns["cellssl"]["seed"] = seed
                with atomic(path) as part:
                    joined.write_h5ad(part)
                ledger.record(path.name, inputs, [path])
            yield path


def _stamp(file: Path) -> list[object]:
    state = file.stat()
    return [file.parent.name, state.st_size, state.st_mtime_ns]


def _save(study: Study, runs: list[PlannedRun], measured: Measurements, out: Path) -> Outcome:
    """Write the tables, with a column for each axis."""
    measured.save(out)
    settings = pd.DataFrame({run.combination: dict(run.settings) for run in runs}).T
    name_axes = partial(_with_axes, settings=settings)
    scores = name_axes(measured.scores)
    for file, table in {
        "scores.csv": scores,
        "per_class.csv": name_axes(measured.per_class),
    }.items():
        with atomic(out / file) as part:
            table.to_csv(part, index=False)
    states = run_states(study, out)
    with atomic(out / "runs.csv") as part:
        states.to_csv(part, index=False)
    missing = states[states["state"] != "finished"]
    return Outcome(scores, measured, dict(zip(missing["run"], missing["state"], strict=True)), out)


def _with_axes(table: pd.DataFrame, settings: pd.DataFrame) -> pd.DataFrame:
    """Say which setting of each axis an embedding had; nothing for baselines."""
    found = settings.reindex(table["embedding"]).reset_index(drop=True)
    return pd.concat([found, table.reset_index(drop=True)], axis=1)
