"""Where a run's results lie, and which of them are finished."""

import logging
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cellssl.errors import CellsslError
from cellssl.studies import Ledger

STAGES = {
    "crop": ("crops",),
    "train": ("model",),
    "embed": ("embeddings",),
    "evaluate": ("scores",),
    "report": ("report.html", "explorer.html", "map.h5ad", "similarity"),
}
"""The stages in their order, and what each makes below the output folder."""

_LEDGER = "finished.json"
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Workspace:
    """The output folder of a run.

    Attributes
    ----------
    folder
        Holds ``plate.csv``, ``crops/``, ``model/``, ``embeddings/``, ``scores/``, ``report.html``,
        ``explorer.html``, ``finished.json``.
    device, progress
        Where it computes, and whether progress bars are drawn.
    """

    folder: Path
    device: str
    progress: bool

    def __truediv__(self, name: str) -> Path:
        return self.folder / name

    def forget_from(self, stage: str, *, given: Iterable[Path]) -> None:
        """Delete the results of a stage and of all that follow it.

        Parameters
        ----------
        stage
            One of `STAGES`.
        given
            Files that the run was given; they are never deleted.

        Raises
        ------
        CellsslError
            When there is no such stage, the folder is no run's, or one of the given files would go.
        """
        names = list(STAGES)
        if stage not in names:
            raise CellsslError(f"no stage is called '{stage}'. Stages: {', '.join(names)}.")
        results = [self / name for later in names[names.index(stage) :] for name in STAGES[later]]
        for path in given:
            if any(path.resolve().is_relative_to(result.resolve()) for result in results):
                raise CellsslError(
                    f"--redo {stage} would delete {path}, which this run is given: choose another --out"
                )
        if any(result.exists() for result in results) and not (self / _LEDGER).exists():
            raise CellsslError(f"{self.folder} holds no finished run: nothing in it is deleted")
        for path in results:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)

    def finish(
        self, name: str, inputs: Mapping[str, Any], output: Path, work: Callable[[], object]
    ) -> None:
        """Do a piece of work unless its result for the same inputs is there.

        Parameters
        ----------
        name
            What it is called in ``finished.json`` and in the messages.
        inputs
            All that the result depends on, as JSON.
        output
            The file that the work makes.
        work
            Does it.
        """

        def told() -> None:
            _LOG.info("%s", name)
            work()

        if not Ledger(self / _LEDGER).finish(name, inputs, output, told):
            _LOG.info("%s: kept, nothing changed", name)
