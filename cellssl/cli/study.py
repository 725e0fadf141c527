"""Commands of studies: list, plan, run, status, report."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cellssl.cli.application import studies
from cellssl.cli.options import Baselines, CropFile, Device, Out, parse_baselines
from cellssl.cli.shell import command, parse_pairs, say, show_scores, show_table, shown

if TYPE_CHECKING:
    from cellssl.studies import Study

Name = Annotated[str, typer.Argument(help="A study's name or file.", show_default=False)]
Folder = Annotated[
    Path, typer.Argument(help="The folder that `study run` wrote.", show_default=False)
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set", help="KEY=VALUE of the study's training, e.g. epochs=25; may be repeated."
    ),
]
Seeds = Annotated[
    int | None, typer.Option(min=1, help="Trainings per combination, instead of the study's.")
]


def _load(name: str, settings: list[str] | None, seeds: int | None) -> "Study":
    """Read a study, with other training settings where they are given."""
    import cellssl.protocols
    import cellssl.studies

    pairs = parse_pairs(settings or [], "--set")
    training = {key: cellssl.protocols.parse_value(text) for key, text in pairs.items()}
    return cellssl.studies.load_study(name).changed(training, seeds=seeds)


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
    crops: CropFile,
    set_: Settings = None,
    seeds: Seeds = None,
    device: Device = "auto",
) -> None:
    """Say which runs a study has and, after a short timing, how long they will take."""
    import cellssl.studies

    loaded = _load(study, set_, seeds)
    say(f"{loaded.name}: {loaded.question}")
    runs = cellssl.studies.plan_runs(loaded)
    firsts = runs[: len(runs) // loaded.seeds]
    show_table("Combinations", list(loaded.axes), [list(run.settings.values()) for run in firsts])
    cost = cellssl.studies.estimate(loaded, crops, device=device)
    hours, minutes = divmod(round(cost.seconds / 60), 60)
    say(
        f"{cost.runs} runs: {len(firsts)} combinations, {loaded.seeds} seeds each; about {hours} h "
        f"{minutes} min of training one after the other on this device"
    )


@command(studies, "run")
def run(
    study: Name,
    crops: CropFile,
    out: Out,
    set_: Settings = None,
    seeds: Seeds = None,
    baseline: Baselines = None,
    jobs: Annotated[int, typer.Option(min=1, help="Runs at once, on this machine.")] = 1,
    scheduler: Annotated[
        str | None, typer.Option(help="Address of a Dask scheduler whose workers take the runs.")
    ] = None,
    train_only: Annotated[
        bool, typer.Option("--train-only", help="Leave the scores to `study report`.")
    ] = False,
    device: Device = "auto",
) -> None:
    """Train and embed what is not there yet, then score all; the same command goes on."""
    import cellssl.studies

    loaded = _load(study, set_, seeds)
    failed = cellssl.studies.carry_out(
        loaded,
        crops,
        out,
        device=device,
        jobs=jobs,
        scheduler=scheduler,
        progress=shown(),
    )
    if not train_only:
        _score(loaded, crops, out, baseline, device)
    for name, reason in failed.items():
        say(f"{name} failed: {reason}")
    if failed:
        raise typer.Exit(1)


@command(studies, "status")
def status(folder: Folder) -> None:
    """Say how far each run of a study is."""
    import cellssl.studies

    states = cellssl.studies.run_states(cellssl.studies.saved_study(folder), folder)
    show_table("Runs", [str(name) for name in states], states.fillna("").to_numpy().tolist())


@command(studies, "report")
def report(
    folder: Folder, crops: CropFile, baseline: Baselines = None, device: Device = "auto"
) -> None:
    """Score what is finished, draw it, and write the study's page."""
    import cellssl.studies

    _score(cellssl.studies.saved_study(folder), crops, folder, baseline, device)


def _score(study: "Study", crops: Path, out: Path, baseline: list[str] | None, device: str) -> None:
    """Score, draw, and say what is missing."""
    import cellssl.studies

    outcome = cellssl.studies.score_study(
        study,
        crops,
        out,
        baselines=parse_baselines(baseline),
        device=device,
        progress=shown(),
    )
    page = cellssl.studies.write_study_page(study, outcome)
    show_scores(outcome.scores)
    for name, state in outcome.missing.items():
        say(f"{name}: {state}")
    say(f"written to {page}")
