"""One score of one embedding; its draws are kept on disk for what is held against it later."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from cellssl.errors import EmbeddingError
from cellssl.files import atomic
from cellssl.phenotypes.evaluation.confusions import Confusions
from cellssl.phenotypes.evaluation.metrics import ANSWERS, Score, split_of
from cellssl.phenotypes.evaluation.tasks import Task

_FILE = "draws.npz"
_KEPT = (
    *("embedding", "seed", "subset", "split", "metric", "drawn"),
    *("weak", "value", "draws", "n", "classes"),
)


@dataclass(frozen=True)
class Measurement:
    """One score of one embedding.

    Attributes
    ----------
    embedding, seed, subset, split, metric, note : str
        `note` says why there is no value, or what to beware of.
    weak : bool
        The embedding was trained with other cells of a well or treatment as positives.
    value : float
        NaN when it cannot be had.
    draws : (B,) float64 or None
        The score in each resample.
    n, classes : int
        Cells scored, classes among them.
    confusions : Confusions or None
        Of a classifier's balanced accuracy: which class was taken for which.
    clusters : (n,) int64 or None
        Of the AMI of k-means clusters: the cluster of each cell, from the first start.
    drawn : str
        Mark of these resamples, equal where two scores are paired.
    """

    embedding: str
    seed: str
    subset: str
    split: str
    metric: str
    weak: bool
    value: float
    draws: NDArray[np.float64] | None
    n: int
    classes: int
    note: str = ""
    confusions: Confusions | None = None
    clusters: NDArray[np.int64] | None = None
    drawn: str = ""

    @classmethod
    def of(
        cls, score: Score, task: Task, *, embedding: str, seed: str = "", weak: bool = False
    ) -> "Measurement":
        """Give a score its place in the table."""
        classes = len(np.unique(task.truth)) if score.classes is None else score.classes
        return cls(
            **{**score._asdict(), "classes": classes},
            embedding=embedding,
            seed=seed,
            subset=task.subset,
            split=split_of(score.metric, task),
            weak=weak,
            drawn=task.drawn,
        )


def unreadable(path: Path, error: object) -> EmbeddingError:
    """Say which file of scores is damaged, and how to mend it."""
    return EmbeddingError(
        f"{path} cannot be read as what cellssl writes of scores ({error}): it is damaged, or something else. Score "
        "the embeddings again, by `cellssl evaluate`, or those of a study by `cellssl study report`"
    )


def save_draws(entries: Iterable[Measurement], folder: Path) -> None:
    """Write the draws of AMI, kNN and linear to ``draws.npz``, where there are some, for `read_draws`."""
    (folder / _FILE).unlink(missing_ok=True)
    kept = [one for one in entries if one.metric in ANSWERS and one.draws is not None]
    if not kept:
        return
    columns: dict[str, Any] = {
        name: np.array([getattr(one, name) for one in kept]) for name in _KEPT
    }
    with atomic(folder / _FILE) as part:
        np.savez_compressed(part, **columns)


def read_draws(folder: Path) -> list[Measurement]:
    """Read what `save_draws` wrote: without notes, confusions and clusters; an empty list where there is no file.

    Raises
    ------
    EmbeddingError
        When the file is damaged.
    """
    if not (folder / _FILE).is_file():
        return []
    try:
        # NumPy leaves a damaged file open that it opened itself.
        with (folder / _FILE).open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            columns = [file[name] if name == "draws" else file[name].tolist() for name in _KEPT]
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise unreadable(folder / _FILE, error) from error
    return [Measurement(**dict(zip(_KEPT, row, strict=True))) for row in zip(*columns, strict=True)]
