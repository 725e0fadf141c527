"""The main job on a plate that needs no download."""

from pathlib import Path

from cellssl.files import make_folder
from cellssl.pipeline.run import RunResult, run
from cellssl.pipeline.workspace import Workspace
from cellssl.plates import index, simulate

# Pixels of a field: some seventy cells, of which forty are not cut by the border.
_SIZE = (512, 512)


def demo(
    out: str | Path = "cellssl-demo", *, seed: int = 0, device: str = "auto", progress: bool = True
) -> RunResult:
    """Simulate two plates with known phenotypes and take them from images to a report.

    Some minutes on two cores. The encoder is small and trained briefly: the demonstration shows the way, not how
    good a full training gets. Pretrained weights are used only where they are at hand already.

    Parameters
    ----------
    out
        The folder for the plates (``plate/``) and all results; the same call again does only what is missing.
    seed
        Seed of the simulation and of the training.
    device, progress
        As in :func:`run`.
    """
    space = Workspace(make_folder(out), device, progress)
    plate = space / "plate"
    space.finish(
        "simulate",
        {"seed": seed, "size": _SIZE},
        plate / "truth.csv",
        lambda: simulate(plate, size=_SIZE, seed=seed, progress=progress),
    )
    return run(
        index(plate, layout="bbbc021"),
        space.folder,
        protocol="bbbc021-expert",
        changes={
            "crop.scaling.per": "plate",  # each simulated plate has a thousand cells of all treatments
            "training.epochs": 12,
            "training.width": 0.25,
            "training.batch_size": 128,
            "training.seed": seed,
        },
        label="MOA",
        download=False,
        device=device,
        progress=progress,
    )
