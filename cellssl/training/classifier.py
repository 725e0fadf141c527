"""Labels beside the training: a linear classifier that the encoder never hears of."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from cellssl.augment import centre_crop
from cellssl.datasets import Source
from cellssl.errors import TrainingError
from cellssl.methods import gathered

_LOG = logging.getLogger(__name__)
_RATE, _MOMENTUM = 0.1, 0.9
_BLOCK = 512  # images in an evaluation pass


@dataclass(frozen=True)
class Labels:
    """What images show, for looking on: only a method that is told labels hears of it.

    Attributes
    ----------
    name : str
        What the labels are, e.g. the column that they come from.
    classes : tuple of str
        K names.
    codes : Tensor
        (N,) int64 class of each image of the source; −1 where it is not known.
    held : Source or None
        Images that are not trained on, to test the classifier on when the run has ended.
    held_codes : Tensor or None
        Their classes.
    size : int or None
        Pixels of the centre of a held image that the encoder is shown; all of it when None.

    Examples
    --------
    >>> labels = Labels.of("MOA", ["DMSO", "Actin", "", "DMSO"])
    >>> labels.classes, labels.codes.tolist()
    (('Actin', 'DMSO'), [1, 0, -1, 1])
    """

    name: str
    classes: tuple[str, ...]
    codes: Tensor
    held: Source | None = None
    held_codes: Tensor | None = None
    size: int | None = None

    @classmethod
    def of(
        cls,
        name: str,
        values: np.ndarray | Sequence[str],
        *,
        held: Source | None = None,
        held_values: np.ndarray | Sequence[str] = (),
        size: int | None = None,
    ) -> "Labels":
        """Make labels of text values; empty ones are unknown.

        Raises
        ------
        TrainingError
            With fewer than two classes.
        """
        texts = np.asarray(values, dtype=str)
        classes = sorted(set(texts.tolist()) - {""})
        if len(classes) < 2:
            raise TrainingError(
                f"{name} has {len(classes)} class among the images: wanted two or more to tell apart"
            )
        number = {text: code for code, text in enumerate(classes)}

        def encode(several: np.ndarray) -> Tensor:
            return torch.tensor([number.get(text, -1) for text in several.tolist()])

        if held is None:
            return cls(name, tuple(classes), encode(texts))
        others = np.asarray(held_values, dtype=str)
        strange = sorted(set(others.tolist()) - set(classes) - {""})
        if strange:
            _LOG.warning(
                "%s: %d of the classes that are held out were never trained on (%s) and are not tested",
                name,
                len(strange),
                ", ".join(strange[:5]),
            )
        return cls(name, tuple(classes), encode(texts), held, encode(others), size)


class OnlineClassifier(nn.Module):
    """A linear classifier on the features of each image's first view, as it is trained.

    It learns by momentum SGD on the cross entropy, whose gradient is written out, so that it needs
    neither autograd nor an optimiser, and nothing in it waits for the device. Every first view is
    predicted *before* it is learnt from. Its rate falls with the encoder's. On several devices all
    learn from the global batch.

    Parameters
    ----------
    labels : Labels
        Of the images in the source.
    features : int
        D, of the encoder.

    Attributes
    ----------
    labels : Labels
        As given.
    table : Tensor
        (K, K) int64 counts of (true, predicted) since `restart`.
    rate : Tensor
        0-d learning rate; written in place.
    """

    table: Tensor
    rate: Tensor
    codes: Tensor
    weight: Tensor
    momentum: Tensor
    numbers: Tensor

    def __init__(self, labels: Labels, features: int) -> None:
        super().__init__()
        self.labels = labels
        classes = len(labels.classes)
        self.register_buffer("weight", torch.zeros(classes, features + 1))  # the last column: bias
        self.register_buffer("momentum", torch.zeros(classes, features + 1))
        self.register_buffer("table", torch.zeros(classes, classes, dtype=torch.long))
        self.register_buffer("rate", torch.zeros(()), persistent=False)
        self.register_buffer("codes", labels.codes, persistent=False)
        self.register_buffer("numbers", torch.arange(classes), persistent=False)

    def set_rate(self, fraction: float) -> None:
        """Set the rate for the next step, as a fraction of its peak."""
        self.rate.fill_(_RATE * fraction)

    def restart(self) -> None:
        """Forget the counts."""
        self.table.zero_()

    @torch.no_grad()
    def learn(self, features: Tensor, index: Tensor) -> None:
        """Predict, count, and learn from features (B, D) of the images at `index` (B,)."""
        inputs, codes = gathered(_with_one(features)), gathered(self.codes[index])
        known = (codes >= 0).to(inputs.dtype)
        scores = inputs @ self.weight.T
        truth = (codes[:, None] == self.numbers).to(inputs.dtype)
        self._count(codes, scores)
        error = (scores.softmax(dim=1) - truth) * (known / known.sum().clamp(min=1))[:, None]
        self.momentum.mul_(_MOMENTUM).add_(error.T @ inputs)
        self.weight.sub_(self.rate * self.momentum)

    @torch.no_grad()
    def test(self, encoder: nn.Module, source: Source, codes: Tensor) -> Tensor:
        """Classify images that were not trained on: (K, K) int64 counts of (true, predicted)."""
        self.restart()
        source = source.to(self.table.device)
        was_training, dtype = encoder.training, next(encoder.parameters()).dtype
        encoder.eval()
        for start in range(0, len(source), _BLOCK):
            index = torch.arange(start, min(start + _BLOCK, len(source)))
            images = source.gather(index.to(self.table.device)).to(dtype)
            if self.labels.size is not None:
                images = centre_crop(images, self.labels.size)
            scores = _with_one(encoder(images)) @ self.weight.T
            self._count(codes[index].to(self.table.device), scores)
        encoder.train(was_training)
        return self.table.clone()

    def _count(self, codes: Tensor, scores: Tensor) -> None:
        """Count (true, predicted); images without a label count nothing."""
        pair = (codes.clamp(min=0), scores.argmax(dim=1))
        self.table.index_put_(pair, (codes >= 0).long(), accumulate=True)


def _with_one(features: Tensor) -> Tensor:
    """Append a one to each row, which a bias is multiplied by: (R, D + 1) float32."""
    return nn.functional.pad(features.float(), (0, 1), value=1.0)
