"""The method that is told labels: its loss, and what it wants."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from cellssl import encoders, methods
from cellssl.errors import TrainingError
from cellssl.methods import Method, class_loss


def make(classes: int = 3) -> Method:
    torch.manual_seed(0)
    return methods.build("supervised", encoders.build("resnet18", 2, width=0.125), classes=classes)


def test_the_loss_is_a_mean_over_classes_of_known_cells() -> None:
    logits = torch.randn(40, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    codes = torch.tensor([0] * 25 + [1] * 8 + [3] * 2 + [-1] * 5)  # nobody is of class 2
    each = -functional.log_softmax(logits, dim=1).numpy()
    by_class = [np.mean([each[i, k] for i in range(40) if codes[i] == k]) for k in (0, 1, 3)]
    assert class_loss(logits, codes).item() == pytest.approx(np.mean(by_class))


def test_classes_of_one_size_give_the_plain_cross_entropy() -> None:
    logits = torch.randn(12, 3, generator=torch.Generator().manual_seed(1))
    codes = torch.arange(12) % 3
    plain = functional.cross_entropy(logits, codes)
    torch.testing.assert_close(class_loss(logits, codes), plain)


def test_cells_without_a_label_change_nothing() -> None:
    logits = torch.randn(6, 3, requires_grad=True)
    codes = torch.tensor([0, -1, 1, -1, 2, 0])
    loss = class_loss(logits, codes)
    torch.testing.assert_close(loss, class_loss(logits[codes >= 0], codes[codes >= 0]))
    loss.backward()
    assert logits.grad is not None
    assert (logits.grad[codes < 0] == 0).all()
    assert (logits.grad[codes >= 0] != 0).any(dim=1).all()
    assert class_loss(logits, torch.full((6,), -1)).item() == 0


def test_every_view_is_told_the_same_classes() -> None:
    method = make()
    views = torch.rand(3, 8, 2, 32, 32, generator=torch.Generator().manual_seed(0))
    codes = torch.arange(8) % 3
    loss = method(*views, codes=codes)
    # Batch norms see each view by itself.
    alone = [class_loss(method.projector(method.encoder(view)), codes) for view in views]
    torch.testing.assert_close(loss, torch.stack(alone).mean())
    loss.backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in method.encoder.parameters())


def test_labels_and_their_number_are_needed() -> None:
    assert "supervised" not in methods.names()  # what learns without labels
    assert "supervised" in methods.names(labelled=True)
    assert [n for n in methods.names(labelled=True) if methods.is_labelled(n)] == ["supervised"]
    view = torch.rand(4, 2, 32, 32)
    with pytest.raises(TrainingError, match="tell it their classes"):
        make()(view, view)
    for wrong in (0, 1, True, 2.0):
        with pytest.raises(TrainingError, match=r"classes: got .*, wanted how many the label has"):
            make(wrong)  # type: ignore[arg-type]
