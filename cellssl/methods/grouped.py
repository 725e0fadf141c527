"""One encoder that learns several sets of invariances at once, a head for each."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from cellssl.encoders import Encoder
from cellssl.errors import TrainingError
from cellssl.methods.method import Method


class GroupedMethod(Method):
    """A method's heads, one for each group of views, on one encoder; their losses are summed.

    What one group's views make its head blind to, another head may need: so the encoder must keep
    it. After Xiao et al., *What Should Not Be Contrastive in Contrastive Learning* (2021, arXiv
    2008.05659), whose embedding spaces each leave one augmentation out.

    Parameters
    ----------
    encoder : Encoder
        The one network whose features are kept.
    heads : mapping
        Name of a group → its method, built on `encoder` or on one of its branches.
    divide : bool
        Whether every group sees its own part of a batch (`cellssl.augment.Views`).
    """

    def __init__(
        self, encoder: Encoder, heads: Mapping[str, Method], *, divide: bool = False
    ) -> None:
        super().__init__()
        weights = set(encoder.parameters())
        if not all(weights.issuperset(head.encoder.parameters()) for head in heads.values()):
            raise ValueError("every head wants the one encoder, or a branch of it")
        self.encoder, self.divide = encoder, divide
        self.heads = nn.ModuleDict(dict(heads))

    def forward(self, view1: Tensor, view2: Tensor, *more: Tensor) -> Tensor:
        """Sum the heads' losses of their own views, which come one group after the other."""
        views = (view1, view2, *more)
        each = len(views) // len(self.heads)
        parts = [views[start : start + each] for start in range(0, len(views), each)]
        return torch.stack([h(*part) for h, part in zip(self._all, parts, strict=True)]).sum()

    def loss(self, view1: Tensor, view2: Tensor) -> Tensor:
        """Sum the losses of all heads, of the same two views (B, C, H, W)."""
        return torch.stack([head.loss(view1, view2) for head in self._all]).sum()

    def begin(self, samples: int, batch_size: int) -> None:
        """Prepare every head for the cells that it sees."""
        if self.divide and batch_size % len(self.heads):
            raise TrainingError(
                f"a batch of {batch_size} cells cannot be divided among {len(self.heads)} groups of "
                f"views: choose a batch_size that is a multiple of {len(self.heads)}"
            )
        seen = batch_size // len(self.heads) if self.divide else batch_size
        for head in self._all:
            head.begin(samples, seen)

    def after_step(self, step: Tensor | int, total: int) -> None:
        """Update what gradients do not, head by head."""
        for head in self._all:
            head.after_step(step, total)

    def forget_step(self) -> None:
        """Drop what a step that broke off left behind."""
        for head in self._all:
            head.forget_step()

    @property
    def networks(self) -> tuple[Encoder, ...]:
        """The encoder, or the branches of it that heads are on."""
        return tuple(dict.fromkeys(head.encoder for head in self._all))

    @property
    def name(self) -> str:  # type: ignore[override]
        """The name of the method that all heads are of."""
        return self._all[0].name

    @property
    def _all(self) -> list[Method]:
        """The heads, in the groups' order."""
        return [head for head in self.heads.values() if isinstance(head, Method)]
