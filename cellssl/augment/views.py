"""All views of a training step."""

from torch import Tensor

from cellssl.augment.counters import make_keys
from cellssl.augment.view import View

__all__ = ["Views"]


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
        made = []
        for number, view in enumerate(self.views):
            keys = make_keys(seed, epoch, samples, number)
            if partners is not None and number % 2:
                made.append(view(partners, keys, masks=partner_masks))
            else:
                made.append(view(images, keys, masks=masks))
        return tuple(made)

    def __repr__(self) -> str:
        return f"Views({', '.join(map(repr, self.views))})"
