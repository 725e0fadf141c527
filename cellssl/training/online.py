"""What the online classifier has told apart: tidy tables in the run folder."""

from pathlib import Path

import numpy as np
import pandas as pd
from torch import nn

from cellssl.files import write_csv
from cellssl.scores import balanced_accuracy_of, class_accuracies_of, pairs_of
from cellssl.training.classifier import OnlineClassifier
from cellssl.training.metrics import MetricsFile

ACCURACIES, CONFUSION = "online_accuracy.csv", "online_confusion.csv"
_VIEWS, _HELD = "training views", "held out"
_COLUMNS = ("epoch", "step", "part", "class", "accuracy", "n")


class OnlineTables:
    """Writes ``online_accuracy.csv`` after every epoch, and ``online_confusion.csv`` after the last.

    `part` is "training views" (each predicted before it was learnt from) or "held out" (images that
    were never trained on, once, with the final encoder). None of it decides anything.

    Parameters
    ----------
    folder : Path
        The run folder.
    classifier : OnlineClassifier
        Counts what it tells apart.
    step : int
        Rows after this step are removed.
    """

    def __init__(self, folder: Path, classifier: OnlineClassifier, *, step: int) -> None:
        self._folder, self._classifier = folder, classifier
        self._labels = labels = classifier.labels
        self._seen = np.zeros((len(labels.classes),) * 2, dtype=np.int64)
        self._file = MetricsFile(folder / ACCURACIES, step=step, columns=_COLUMNS)

    def epoch_ended(self, epoch: int, step: int) -> float:
        """Write the classes' accuracies over an epoch's views; gives their mean. Waits for the device."""
        self._seen = self._classifier.table.cpu().numpy().copy()
        self._append(self._seen, _VIEWS, epoch, step)
        self._classifier.restart()
        return balanced_accuracy_of(self._seen)

    def run_ended(self, encoder: nn.Module, epoch: int, step: int) -> None:
        """Test on what was held out, and write its confusions and those of the last epoch's views."""
        tables, labels = {_VIEWS: self._seen}, self._labels
        if labels.held is not None and labels.held_codes is not None:
            tested = self._classifier.test(encoder, labels.held, labels.held_codes)
            tables[_HELD] = tested.cpu().numpy()
            self._append(tables[_HELD], _HELD, epoch, step)
        frames = [
            pd.DataFrame({"part": part, **pairs_of(table, labels.classes)})
            for part, table in tables.items()
        ]
        write_csv(pd.concat(frames), self._folder / CONFUSION)

    def _append(self, table: np.ndarray, part: str, epoch: int, step: int) -> None:
        """Write a row for each class."""
        about: dict[str, float | str] = {"epoch": epoch, "step": step, "part": part}
        each = zip(self._labels.classes, *class_accuracies_of(table), strict=True)
        rows = [
            {**about, "class": name, "accuracy": float(accuracy), "n": int(count)}
            for name, accuracy, count in each
        ]
        self._file.append(*rows)
