"""Whether a study can be carried out on a crop file: mistakes show now, not after the trainings."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from cellssl.crops import Crops
from cellssl.errors import EmbeddingError, StudyError, quoted
from cellssl.methods import is_labelled
from cellssl.phenotypes import require_label
from cellssl.phenotypes.controls import control_cells
from cellssl.phenotypes.evaluation.tasks import build_tasks
from cellssl.phenotypes.leakage import UsedLabels, fair_cells, refuse_leaks
from cellssl.phenotypes.normalisation.normalisation import check_normalisation
from cellssl.protocols import Protocol, diff, load, used_labels
from cellssl.studies.baselines import plan_baselines
from cellssl.studies.planning import PlannedRun, base_protocol, twins
from cellssl.studies.study import Study
from cellssl.studies.suitability import require_crops
from cellssl.training import CHECKPOINT
from cellssl.words import listed

_LOG = logging.getLogger(__name__)


def check_ready(
    study: Study, runs: Sequence[PlannedRun], crops: Path, folders: Path | None = None
) -> None:
    """Find what cannot work before anything is trained.

    Raises
    ------
    CellsslError
        When a protocol does not fit the crops, what is to be scored is not there or was given to a
        training, a baseline is unknown, or `folders` holds runs with other settings.
    """
    opened = Crops.open(crops)
    firsts = [run for run in runs if run.seed == 0]
    told: dict[str, list[str]] = {}
    for run in firsts:
        for finding in require_crops(run.protocol, opened):
            told.setdefault(finding.message, []).append(run.combination)
    _check_scores(study, firsts, opened)
    if folders is not None:
        _check_folders(runs, folders)
    for message, names in told.items():
        _LOG.warning("%s (%s)", message, listed(quoted(names)))
    for alike in twins(firsts):
        _LOG.warning(
            "%s: %s are one protocol under %d names: the same is trained for each, seed by seed, and says "
            "nothing new; leave all but one out, or change what they say",
            study.locate("axes"),
            listed(quoted(alike)),
            len(alike),
        )


def _check_scores(study: Study, firsts: Sequence[PlannedRun], crops: Crops) -> None:
    """Lay down what will be scored."""
    check_normalisation(study.normalise)
    check_label(
        crops.obs,
        study_label(study, crops.obs),
        [run.protocol for run in firsts],
        subsets=study.subsets or None,
        where=study.where,
        held_out=study.held_out,
    )
    for baseline in plan_baselines(study.weights, base_protocol(study)):
        if baseline.model in {run.combination for run in firsts} | study.combine.keys():
            raise StudyError(
                f"{study.locate('axes')}: {baseline.model!r} is a baseline; rename the combination"
            )


def study_label(study: Study, obs: pd.DataFrame) -> str:
    """Find the column that a study scores against: its own, or a usual one.

    Raises
    ------
    StudyError
        When it is not there.
    """
    try:
        return require_label(obs, study.label, option="`label:` in the study's file")
    except EmbeddingError as error:
        raise StudyError(f"{study.locate('label')}: {error}") from error


def check_label(
    obs: pd.DataFrame,
    label: str,
    protocols: Sequence[Protocol],
    *,
    subsets: Mapping[str, Sequence[str]] | None,
    where: str | None,
    held_out: bool,
) -> None:
    """Make sure that a label can be scored, and was not given to the trainings.

    Raises
    ------
    EmbeddingError, StudyError
        When it cannot, or was.
    """
    refuse_told(protocols)
    used = {one.name: UsedLabels.of(used_labels(one, obs)) for one in protocols if one.weak}
    fair = fair_cells(obs, label, used) if held_out else None
    tasks, _ = build_tasks(
        obs,
        label,
        subsets=subsets,
        where=where,
        controls=control_cells(obs),
        fair=fair,
        resamples=2,
    )
    refuse_leaks(obs, label, used, tasks[0].rows)


def refuse_told(protocols: Sequence[Protocol]) -> None:
    """Make sure that no training is told the labels outright, where it is to be scored as one that is not.

    Raises
    ------
    StudyError
        When one is.
    """
    for one in protocols:
        if is_labelled(one.training.method):
            raise StudyError(
                f"{one.name}: method {one.training.method} is told the label; `cellssl study ceiling` "
                "trains it, and scores it on plates whose labels it never saw"
            )


def _check_folders(runs: Sequence[PlannedRun], folders: Path) -> None:
    """Make sure that runs which are there already are of this study."""
    for run in runs:
        folder = folders / run.folder
        if not (folder / CHECKPOINT).exists():
            continue
        rows = diff(load(folder / "protocol.yaml"), run.protocol)
        rows = rows[~rows["what"].str.endswith(("because", "description"))]
        if len(rows):
            what, there, wanted = rows.iloc[0]
            raise StudyError(
                f"{folder} holds a run with other settings ({what}: {there}, now {wanted}); choose "
                "another folder, or delete this one"
            )
