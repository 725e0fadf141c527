"""What was run on which cells, where, when, and how to do it again."""

import shlex

from cellssl.columns import bare_name
from cellssl.errors import quoted
from cellssl.report.page import Bullets, Fold, Section, Table, Text
from cellssl.studies.outcome import Outcome
from cellssl.studies.planning import plan_runs, twins
from cellssl.studies.provenance import (
    describe_crops,
    describe_orientations,
    describe_trainings,
    doubt_of_places,
    training_day,
    training_place,
)
from cellssl.studies.study import SAVED, Study
from cellssl.words import counted, listed


def runs_section(study: Study, outcome: Outcome) -> Section:
    """Say what was run and what is missing."""
    blocks: list = [Text("All runs are finished.")]
    if outcome.missing:
        rows = [list(row) for row in outcome.missing.items()]
        told = Text("These runs are not among the scores:", "warning")
        blocks = [told, Table(["run", "state"], rows)]
    blocks.append(Bullets(_said(study, outcome)))
    for alike in twins(plan_runs(study)):
        names = listed(quoted(alike))
        text = f"{names} are one protocol under {len(alike)} names: they repeat each other."
        blocks.append(Text(text, "warning"))
    if doubt := doubt_of_places(outcome.environments.values()):
        blocks.append(Text(doubt, "warning"))
    if outcome.environments:
        rows = [
            [name, *training_place(one), training_day(one)]
            for name, one in outcome.environments.items()
        ]
        table = Table(["run", "device", "software", "trained on"], rows)
        blocks.append(Fold("Each run, with its device and date", [table]))
    return Section("runs", "Runs", "What was run", blocks)


def _said(study: Study, outcome: Outcome) -> list[tuple[str, str]]:
    """Say what was trained on what, where, when, and by which command."""
    measured = outcome.measured
    only = f", only where {study.where}" if study.where else ""
    numbers = [str(seed) for seed in range(study.seeds)]
    seeds = f"seed{'s' * (study.seeds > 1)} {listed(numbers, most=9)}"
    command = ["cellssl", "study", "run", SAVED, str(outcome.crops.path), "-o", "FOLDER"]
    return [
        ("Protocol:", f"{study.protocol}, each combination with {seeds}"),
        ("Cells:", describe_crops(outcome.crops)),
        (
            "Scored:",
            f"{counted(measured.counts['scored'], 'cell')} by {bare_name(measured.label)}{only}, "
            f"normalisation {measured.normalisation}",
        ),
        ("Features:", describe_orientations(study.orientations)),
        ("Trained:", describe_trainings(outcome.environments.values())),
        ("Again:", f"{shlex.join(command)} ({SAVED}, beside this page, holds all settings)"),
    ]
