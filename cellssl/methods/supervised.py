"""Supervised: the encoder is told what each cell shows; the ceiling beside methods that are not."""

import torch
from torch import Tensor
from torch.nn import functional

from cellssl.encoders import Encoder
from cellssl.errors import TrainingError
from cellssl.methods.gathering import gathered
from cellssl.methods.heads import mlp
from cellssl.methods.method import Method, full_precision
from cellssl.methods.options import WIDEST


def class_loss(logits: Tensor, codes: Tensor) -> Tensor:
    """Cross entropy in which every class of the batch weighs alike, however many cells it has.

    The mean over the classes of the mean over their cells of −log softmax(logits)[code], as the
    balanced accuracies are means over classes. Cells without a label do not count; of a batch
    without any label the loss is 0.

    Parameters
    ----------
    logits : Tensor
        (B, K).
    codes : Tensor
        (B,) int64 class of each cell, −1 where it is not known.

    Returns
    -------
    Tensor
        0-d mean loss.

    Examples
    --------
    >>> logits = torch.tensor([[2.0, 0.0], [2.0, 0.0], [0.0, 0.0], [9.0, 0.0]])
    >>> round(class_loss(logits, torch.tensor([0, 0, 1, -1])).item(), 4)  # of log(1 + e⁻²), log 2
    0.41
    """
    each = functional.cross_entropy(logits, codes, ignore_index=-1, reduction="none")  # (B,)
    known = (codes >= 0).to(each.dtype)
    cells = each.new_zeros(logits.shape[1]).index_add_(0, codes.clamp(min=0), known)  # (K,)
    classes = (cells > 0).sum().clamp(min=1)
    return (each * known / cells.clamp(min=1)[codes.clamp(min=0)]).sum() / classes


class Supervised(Method):
    """A linear head on the features of every view, which learns the cells' labels.

    What an encoder can get that hears the answers: a ceiling to hold the methods against that do
    not. No score may ask for these labels again on the cells that they were taken from.

    Parameters
    ----------
    encoder : Encoder
        Gives the features that are kept.
    classes : int
        K, of the label; `cellssl.train` counts them.
    """

    name = "supervised"
    labelled = True

    def __init__(self, encoder: Encoder, *, classes: int = 0) -> None:
        super().__init__()
        if isinstance(classes, bool) or not isinstance(classes, int) or not 2 <= classes <= WIDEST:
            raise ValueError(
                f"classes: got {classes!r}, wanted how many the label has, from 2 to {WIDEST}; training on "
                "crops fills it in"
            )
        self.encoder = encoder
        self.projector = mlp(encoder.feature_dim, classes)

    def forward(
        self, view1: Tensor, view2: Tensor, *small: Tensor, codes: Tensor | None = None
    ) -> Tensor:
        """Give the mean `class_loss` over views, each encoded once.

        Parameters
        ----------
        view1, view2, *small : Tensor
            (B, C, H, W); row i of all shows the same cell.
        codes : Tensor
            (B,) int64 class of each cell, −1 where it is not known.
        """
        if codes is None:
            raise TrainingError(
                f"method {self.name!r} learns what cells show: tell it their classes, with labels"
            )
        return torch.stack([self._classify(view, codes) for view in (view1, view2, *small)]).mean()

    def loss(self, view1: Tensor, view2: Tensor, codes: Tensor | None = None) -> Tensor:
        """Give the loss of two views, as `forward` does."""
        return self.forward(view1, view2, codes=codes)

    def _classify(self, view: Tensor, codes: Tensor) -> Tensor:
        """Give the loss of one view."""
        logits = self.projector(self.encoder(view))
        with torch.autocast(logits.device.type, enabled=False):
            return class_loss(gathered(*full_precision(logits)), gathered(codes))
