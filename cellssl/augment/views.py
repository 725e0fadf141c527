"""All views of a training step."""

from collections.abc import Sequence

from torch import Tensor

from cellssl.augment.counters import make_keys
from cellssl.augment.view import View

__all__ = ["GroupedViews", "Views"]


class Views:
    """The views of a training step, each with its own draws.

    Parameters
    ----------
    *views
        One: two views, both alike but drawn differently. Two: each as it says. More: the first two
        are the large ones, with which every further one is compared (multi-crop, Caron et al. 2020,
        arXiv 2006.09882); these may be smaller.

    Raises
    ------
    ValueError
        When there is none, or the first two differ in size.

    Examples
    --------
    >>> import torch
    >>> views = Views(View([], 8))
    >>> first, second = views(torch.rand(2, 3, 8, 8), 0, 0, torch.arange(2))
    >>> first.shape
    torch.Size([2, 3, 8, 8])
    """

    def __init__(self, *views: View) -> None:
        if not views:
            raise ValueError("no view was given, wanted at least one")
        self.views = views * 2 if len(views) == 1 else views
        if self.views[0].size != self.views[1].size:
            raise ValueError(
                f"both views must have one size, got {views[0].size} and {views[1].size}"
            )

    @property
    def size(self) -> int:
        """Height and width of the first two views in pixels."""
        return self.views[0].size

    @property
    def needs_masks(self) -> bool:
        """Whether one of the views must be given the crops' masks."""
        return any(view.needs_masks for view in self.views)

    def __call__(
        self,
        images: Tensor,
        seed: int | Tensor,
        epoch: int | Tensor,
        samples: Tensor,
        *,
        masks: Tensor | None = None,
        partners: Tensor | None = None,
        partner_masks: Tensor | None = None,
        first: int = 0,
    ) -> tuple[Tensor, ...]:
        """Make all views.

        Parameters
        ----------
        images
            (N, C, S, S) in [0, 1].
        seed, epoch
            Integers, or 0-d int64 tensors.
        samples
            (N,) int64: the images' stable numbers.
        masks
            (N, M, S, S), where `needs_masks`.
        partners, partner_masks
            Other cells that count as the same, in the images' order: every second view shows them.
            Draws stay those of the images, so that two images may share a partner.
        first
            The number of the first view: views of other numbers have other draws.
        """
        made = []
        for number, view in enumerate(self.views):
            keys = make_keys(seed, epoch, samples, first + number)
            if partners is not None and number % 2:
                made.append(view(partners, keys, masks=partner_masks))
            else:
                made.append(view(images, keys, masks=masks))
        return tuple(made)

    def __repr__(self) -> str:
        return f"Views({', '.join(map(repr, self.views))})"


class GroupedViews:
    """Several groups of views of the same images, one after the other, each with its own draws.

    Parameters
    ----------
    groups
        Two or more, of as many views each.
    divide
        Whether every group sees its own part of the images instead of all.

    Raises
    ------
    ValueError
        When groups differ in their number of views.

    Examples
    --------
    >>> import torch
    >>> grouped = GroupedViews([Views(View([], 8)), Views(View([], 8))], divide=True)
    >>> [len(view) for view in grouped(torch.rand(6, 3, 8, 8), 0, 0, torch.arange(6))]
    [3, 3, 3, 3]
    """

    def __init__(self, groups: Sequence[Views], *, divide: bool = False) -> None:
        self.groups, self.divide = tuple(groups), divide
        self._each = len(self.groups[0].views)
        if len(self.groups) < 2 or any(len(g.views) != self._each for g in self.groups):
            raise ValueError("wanted two or more groups of as many views each")

    @property
    def size(self) -> int:
        """Height and width of the first two views in pixels."""
        return self.groups[0].size

    @property
    def needs_masks(self) -> bool:
        """Whether one of the views must be given the crops' masks."""
        return any(group.needs_masks for group in self.groups)

    def __call__(
        self,
        images: Tensor,
        seed: int | Tensor,
        epoch: int | Tensor,
        samples: Tensor,
        **others: Tensor,
    ) -> tuple[Tensor, ...]:
        """Make the views of all groups, the first group's first; parameters as of `Views`."""
        if self.divide and len(images) % len(self.groups):
            raise ValueError(
                f"{len(images)} images cannot be divided among {len(self.groups)} groups of views"
            )
        made: list[Tensor] = []
        for number, group in enumerate(self.groups):
            part = slice(None)
            if self.divide:
                length = len(images) // len(self.groups)
                part = slice(number * length, (number + 1) * length)
            cut = {name: tensor[part] for name, tensor in others.items()}
            first = number * self._each
            made += group(images[part], seed, epoch, samples[part], **cut, first=first)
        return tuple(made)

    def __repr__(self) -> str:
        return f"GroupedViews({', '.join(map(repr, self.groups))})"
