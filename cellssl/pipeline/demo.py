"""The main job on a plate that needs no download."""

from pathlib import Path

from cellssl.files import make_folder
from cellssl.pipeline.run import RunResult, run
from cellssl.plates import index, simulate

__all__ = ["demo"]


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
    out = make_folder(out)
    simulated = simulate(out / "plate", seed=seed)
    return run(
        index(simulated.folder, layout="bbbc021"),
        out,
        protocol="bbbc021-expert",
        changes={
            "training.epochs": 8,
            "training.width": 0.25,
            "training.batch_size": 128,
            "training.seed": seed,
        },
        crop_size=96,
        label="MOA",
        baselines={"resnet101": None, "random": None, "simple-features": None},
        download=False,
        device=device,
        progress=progress,
    )
