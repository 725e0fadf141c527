"""Commands of studies: list, plan, audit, run, status, report, complement; ceiling is in a file of its own."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cellssl.cli import options
from cellssl.cli.application import studies
from cellssl.cli.results import show_gains, show_scores, write_gain
from cellssl.cli.shell import command, say, show_table, shown
from cellssl.words import counted, listed, with_interval

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    import pandas as pd

    from cellssl.studies import Study

Name = Annotated[str, options.argument("A study's name or file.")]
Folder = Annotated[
    Path,
    options.argument(
        "The folder that `study run` wrote.", options.existing("make it with `cellssl study run`")
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help="training.KEY=VALUE replaces a training setting of all runs, e.g. training.epochs=25; "
        "an axis that sets it goes first; may be repeated.",
    ),
]
Seeds = Annotated[
    int | None, typer.Option(min=1, help="Trainings per combination, instead of the study's.")
]

MOST_ROWS = 40  # combinations that are listed
MOST_PAIRS = 5
MOST_CLASSES = 8  # that gain most, and as many that lose most


def _load(
    name: str, settings: list[str] | None, seeds: int | None, baseline: list[str] | None = None
) -> "Study":
    """Read a study, with other training settings, seeds and baselines where they are given."""
    import cellssl.studies

    return cellssl.studies.load_study(name).changed(
        options.parse_settings(settings), seeds=seeds, baselines=options.parse_baselines(baseline)
    )


@command(studies, "list")
def list_() -> None:
    """List the studies that come with cellssl."""
    import cellssl.studies

    loaded = [cellssl.studies.load_study(name) for name in cellssl.studies.study_names()]
    rows = [[one.name, one.protocol, one.question] for one in loaded]
    show_table("Studies", ["name", "protocol", "question"], rows)


@command(studies, "plan")
def plan(
    study: Name,
    crops: options.CropFile,
    set_: Settings = None,
    seeds: Seeds = None,
    device: options.Device = "auto",
) -> None:
    """Say which runs a study has and, after a short timing, how long they will take."""
    import cellssl.studies

    loaded = _load(study, set_, seeds)
    say(f"{loaded.name}: {loaded.question}")
    runs = cellssl.studies.plan_runs(loaded)
    firsts = [run for run in runs if run.seed == 0]
    rows = [list(run.settings.values()) for run in firsts[:MOST_ROWS]]
    show_table("Combinations", list(loaded.axes), rows)
    if len(firsts) > MOST_ROWS:
        say(f"… and {len(firsts) - MOST_ROWS} more")
    cost = cellssl.studies.estimate(loaded, crops, device=device, progress=shown())
    timed = f"timed: {counted(cost.timed, 'combination')}"
    if cost.timed < len(firsts):
        timed += "; those that differ in amplitudes alone take as long"
    say(
        f"{counted(cost.runs, 'run')}: {counted(len(firsts), 'combination')}, "
        f"{counted(loaded.seeds, 'seed')} each; about "
        f"{_duration(cost.seconds)} of training one after the other on this device, "
        f"{_duration(cost.seconds / cost.runs)} each; embedding and scoring come on top "
        f"({timed})"
    )


def _duration(seconds: float) -> str:
    """Write a time as people say it."""
    minutes = round(seconds / 60)
    if minutes < 2:
        return f"{round(seconds)} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


@command(studies, "audit")
def audit(
    study: Name,
    crops: options.CropFile,
    out: Annotated[
        Path | None, options.out_option("A folder for the tables. (default: none is written)")
    ] = None,
    label: Annotated[
        str | None, typer.Option(help="The column of the classes. (default: the study's)")
    ] = None,
    scores: Annotated[
        Path | None,
        typer.Option(help="The study's scores.csv, to hold the order against. (default: none)"),
    ] = None,
    reference: Annotated[
        str, typer.Option(help="measures, intensity, random, or resnet18…101 with --weights.")
    ] = "measures",
    weights: options.Weights = None,
    cells: options.SomeCells = 500,
    draws: options.Views = 2,
) -> None:
    """Rank a study's settings before any is trained, by how far their views leave classes apart."""
    import cellssl.studies
    from cellssl.files import check_folder

    if out is not None:
        check_folder(out)
    found = cellssl.studies.rank_settings(
        cellssl.studies.load_study(study),
        crops,
        label=label,
        scores=scores,
        reference=reference,
        weights=weights,
        cells=cells,
        draws=draws,
        progress=shown(),
    )
    names = ["before", "after", "cost", "moved"]
    rows = [
        [name, *(f"{value:.3f}" for value in values)]
        for name, *values in found.settings[["combination", *names]].to_numpy()
    ]
    heads = ["two classes told: before", "after the view", "contrast lost", "cells moved"]
    show_table("Settings, the best outlook first", ["setting", *heads], rows)
    _show_pairs(found.pairs)
    _show_agreement(found.agreement)
    if scores is not None and not scores.with_name("per_class.csv").exists():
        say(f"no per_class.csv lies beside {scores}: what classes gain and lose is not compared")
    if out is not None:
        say(f"written to {found.save(out)}")


def _show_pairs(pairs: "pd.DataFrame") -> None:
    """Print which two settings are expected to add most to each other."""
    rows = [
        [f"{a} + {b}", f"{after:.3f}", f"{gain:+.3f}", better]
        for a, b, better, after, gain, _ in pairs.head(MOST_PAIRS).to_numpy()
        if gain >= 0.0005  # as far as is shown
    ]
    if rows:
        heads = ["pair", "two classes told", "gain", "over"]
        show_table("As two heads, or two encoders: what is expected to add most", heads, rows)
    elif len(pairs):
        say("no two settings are expected to tell more together than the better of them")


def _show_agreement(table: "pd.DataFrame") -> None:
    """Print how the audit's order, and that of amplitude alone, agree with training's."""
    if table.empty:
        return
    rows = []
    for (metric, of), own in table.groupby(["metric", "of"], sort=False):
        told = {row["predictor"]: _correlation(row) for row in own.to_dict("records")}
        count = own["classes" if str(of).startswith("classes") else "settings"].iloc[0]
        which = f"pairs of {count:.0f} settings" if of == "pairs" else f"{count:.0f} {of}"
        rows.append([metric, which, *(told[name] for name in ("after", "moved", "ahead"))])
    heads = ["score", "order of", "the audit", "amplitude alone", "ahead by"]
    show_table("Against training: Spearman (95 % interval), p", heads, rows)


def _correlation(row: "Mapping[Hashable, Any]") -> str:
    """Write a correlation out, with its p-value where it has one."""
    if math.isnan(row["spearman"]):
        return "all alike"
    text = with_interval(row["spearman"], row["low"], row["high"], 2)
    return text if math.isnan(row["p_value"]) else f"{text}, {row['p_value']:.2g}"


@command(studies, "run")
def run(
    study: Name,
    crops: options.CropFile,
    out: options.OutFolder,
    set_: Settings = None,
    seeds: Seeds = None,
    baseline: options.StudyBaselines = None,
    jobs: Annotated[int, typer.Option(min=1, help="Runs at once, on this machine.")] = 1,
    scheduler: Annotated[
        str | None, typer.Option(help="Address of a Dask scheduler whose workers take the runs.")
    ] = None,
    train_only: Annotated[
        bool, typer.Option("--train-only", help="Leave the scores to `study report`.")
    ] = False,
    device: options.Device = "auto",
) -> None:
    """Train and embed what is not there yet, then score all; the same command goes on."""
    import cellssl.studies

    loaded = _load(study, set_, seeds, baseline)
    failed = cellssl.studies.carry_out(
        loaded, crops, out, device=device, jobs=jobs, scheduler=scheduler, progress=shown()
    )
    if not train_only:
        _score(loaded, crops, out, device)
    if failed:
        raise typer.Exit(1)


@command(studies, "status")
def status(folder: Folder) -> None:
    """Say how far each run of a study is."""
    import cellssl.studies

    states = cellssl.studies.run_states(cellssl.studies.saved_study(folder), folder)
    show_table("Runs", states, states.fillna("").to_numpy())


@command(studies, "report")
def report(
    folder: Folder,
    crops: options.CropFile,
    baseline: options.StudyBaselines = None,
    used_plates: options.UsedPlates = False,
    device: options.Device = "auto",
) -> None:
    """Score what is finished, draw it, and write the study's page."""
    import cellssl.studies

    saved = cellssl.studies.saved_study(folder).changed(baselines=options.parse_baselines(baseline))
    _score(saved, crops, folder, device, used_plates=used_plates)


@command(studies, "complement")
def complement(folder: Folder, crops: options.CropFile) -> None:
    """Say which two combinations tell most together, beyond the better of them, and of which classes."""
    import cellssl.studies
    from cellssl.studies.complement import PAIR, pair_name

    saved = cellssl.studies.saved_study(folder)
    found = cellssl.studies.complement(saved, crops, folder, progress=shown())
    own = found.gains[found.gains["subset"] == "all"]
    named = own.assign(name=[pair_name(a, b) for a, b in own[PAIR].to_numpy()])
    show_gains("Gains over the better of the two, with 95 % intervals; * apart", "pair", named)
    classes = found.classes[(found.classes[PAIR] == list(found.best)).all(axis=1)]
    chosen = ends(classes)
    rows = [
        [row.classifier, row["class"], f"{row.better_accuracy:.2f}", write_gain(row), str(row.n)]
        for _, row in chosen.iterrows()
    ]
    which = "each class" if len(chosen) == len(classes) else "classes that gain and lose most"
    title = (
        f"{pair_name(*found.best)}: accuracy of {which}, 95 % intervals for all at once; * apart"
    )
    show_table(title, ["classifier", "class", "better one", "gain", "n"], rows)
    say(f"written to {found.folder / 'complement.csv'} and complement_per_class.csv")


def ends(classes: "pd.DataFrame") -> "pd.DataFrame":
    """Choose of each classifier the classes that gain most and those that lose most, in this order."""
    ordered = classes.sort_values(["classifier", "gain"], ascending=[True, False])
    groups = ordered.groupby("classifier", sort=False)
    near = (groups.cumcount() < MOST_CLASSES) | (groups.cumcount(ascending=False) < MOST_CLASSES)
    return ordered[near]


def _score(
    study: "Study", crops: Path, out: Path, device: str, *, used_plates: bool = False
) -> None:
    import cellssl.studies

    outcome = cellssl.studies.score_study(
        study, crops, out, used_plates=used_plates, device=device, progress=shown()
    )
    page = cellssl.studies.write_study_page(study, outcome)
    show_scores(outcome.scores)
    for state in dict.fromkeys(outcome.missing.values()):
        names = [name for name, own in outcome.missing.items() if own == state]
        say(f"{listed(names, most=4)}: {state}")
    say(f"written to {page}")
