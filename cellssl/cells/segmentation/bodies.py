"""Whole cells: what shows them, and which nucleus is whose."""

from collections.abc import Sequence

import numpy as np

from cellssl.channels import is_transmitted

BODIES = 2  # of the settings of those who find cells; raise it when the same channels come to show others
_BRIGHT = 99.9  # percentile that stands for a channel's brightest
_SAMPLE = 50_000  # pixels that it is computed on


def body_channels(channels: Sequence[str], nucleus: int) -> list[int]:
    """Give the numbers of the channels beside the nuclei's in which cells shine, by their names.

    Examples
    --------
    >>> body_channels(["DNA", "Actin", "Brightfield", "HighZBF", "ER"], 0)
    [1, 4]
    """
    return [
        number
        for number, name in enumerate(channels)
        if number != nucleus and not is_transmitted(name)
    ]


def body_image(others: np.ndarray) -> np.ndarray:
    """Average the channels that show cells, each in shares of its brightest: (C, Y, X) → (Y, X).

    Parameters
    ----------
    others : ndarray
        At least one channel, any real type.
    """
    step = max(1, others[0].size // _SAMPLE)
    samples = others.reshape(len(others), -1)[:, ::step]
    brightest = np.maximum(np.percentile(samples, _BRIGHT, axis=1), 1e-6).astype(np.float32)
    shares = (
        channel.astype(np.float32) / top for channel, top in zip(others, brightest, strict=True)
    )
    return sum(shares, np.zeros(others.shape[1:], np.float32)) / np.float32(len(others))


def number_cells(nuclei: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """Give each cell the number of its nucleus: the one that covers most of it.

    Parameters
    ----------
    nuclei, cells : ndarray
        (Y, X) integers, each 0 background and numbered on its own.

    Returns
    -------
    ndarray
        (Y, X) int32. Cells without a nucleus are left out; of several nuclei in one cell, the
        smaller ones have none.

    Examples
    --------
    >>> number_cells(np.array([[0, 4, 0, 0]]), np.array([[1, 1, 1, 2]])).tolist()
    [[4, 4, 4, 0]]
    """
    _, cell = np.unique(cells, return_inverse=True)
    both = (nuclei > 0) & (cells > 0)
    width = int(nuclei.max(initial=0)) + 1
    pairs, shared = np.unique(
        cell.reshape(cells.shape)[both].astype(np.int64) * width + nuclei[both], return_counts=True
    )
    owner, nucleus = np.divmod(pairs, width)
    order = np.argsort(shared, kind="stable")  # the last one written is the largest
    numbers = np.zeros(int(cell.max(initial=0)) + 1, np.int32)
    numbers[owner[order]] = nucleus[order]
    # A nucleus that lies in two cells has the one that it shares more with.
    best = np.zeros(width, np.int64)
    best[nucleus[order]] = owner[order]
    numbers[best[numbers] != np.arange(len(numbers))] = 0
    return numbers[cell].reshape(cells.shape)
