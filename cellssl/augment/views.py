"""All views of a training step."""

from torch import Tensor

from cellssl.augment.counters import make_keys
from cellssl.augment.view import View


class Views:
    """The views of a training step, each with its own draws.

    Parameters
    ----------
    *views
        One: two views, both alike but drawn differently. Two: each as it says. More: the first two
        are the large ones, with which every further one is compared (multi-crop, Caron et al. 2020,
        arXiv 2006.09882); these may be smaller.
    groups
        The views are of so many groups, each as above, of as many views, one after the other.
    divide
        Whether every group sees its own part of the images instead of all.

    Raises
    ------
    ValueError
        When there is none, the first two of a group differ in size, or groups in their number.

    Examples
    --------
    >>> import torch
    >>> views = Views(View([], 8))
    >>> first, second = views(torch.rand(2, 3, 8, 8), 0, 0, torch.arange(2))
    >>> first.shape
    torch.Size([2, 3, 8, 8])
    >>> views = Views(*[View([], 8)] * 4, groups=2, divide=True)
    >>> [len(view) for view in views(torch.rand(6, 3, 8, 8), 0, 0, torch.arange(6))]
    [3, 3, 3, 3]
    """

    def __init__(self, *views: View, groups: int = 1, divide: bool = False) -> None:
        if not views:
            raise ValueError("no view was given, wanted at least one")
        self.views = views * 2 if len(views) == 1 else views
        self.groups, self.divide = groups, divide
        self._each, left = divmod(len(self.views), groups)
        if left or self._each < 2:
            raise ValueError(f"{len(views)} views cannot be {groups} groups of two or more each")
        for start in range(0, len(self.views), self._each):
            one, other = self.views[start : start + 2]
            if one.size != other.size:
                raise ValueError(f"both views must have one size, got {one.size} and {other.size}")

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
        """
        if self.divide and len(images) % self.groups:
            raise ValueError(
                f"{len(images)} images cannot be divided among {self.groups} groups of views"
            )
        length = len(images) // self.groups if self.divide else len(images)
        made = []
        for number, view in enumerate(self.views):
            group, place = divmod(number, self._each)
            part = slice(group * length, (group + 1) * length) if self.divide else slice(None)
            keys = make_keys(seed, epoch, samples[part], number)
            shown, hidden = images, masks
            if partners is not None and place % 2:
                shown, hidden = partners, partner_masks
            made.append(view(shown[part], keys, masks=None if hidden is None else hidden[part]))
        return tuple(made)

    def __repr__(self) -> str:
        groups = f", groups={self.groups}" if self.groups > 1 else ""
        return f"Views({', '.join(map(repr, self.views))}{groups})"
