"""Random numbers without a generator: hashed from (seed, epoch, sample, view, operation, number).

A sample's draws depend on nothing else, so they are the same whatever the batch split, worker,
rank, resume or capture, and there is no generator state to save. Everything is integer arithmetic
on the device of the keys: nothing waits for it, nothing branches on a value, so a step that draws
can be captured as one CUDA graph.

The mixer is the finaliser of SplitMix64 (Steele, Lea & Flood 2014, "Fast splittable pseudorandom
number generators"; constants of Stafford's variant 13), on two's complement 64-bit integers, whose
products wrap.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15  # 2^64 / golden ratio: steps of it are spread evenly
_FIRST = 0xBF58476D1CE4E5B9
_SECOND = 0x94D049BB133111EB
_BITS = 24  # of a float32's mantissa: every draw is an exact multiple of 2^-24


def _signed(value: int) -> int:
    """Give the int64 that has the same 64 bits."""
    value &= _MASK
    return value - (1 << 64) if value >> 63 else value


def _mix_integer(value: int) -> int:
    """Mix one Python integer; equal to `_mix` on a tensor that holds it."""
    value &= _MASK
    value = ((value ^ (value >> 30)) * _FIRST) & _MASK
    value = ((value ^ (value >> 27)) * _SECOND) & _MASK
    return _signed(value ^ (value >> 31))


def _shift(values: Tensor, bits: int) -> Tensor:
    """Shift right logically: torch's ``>>`` on int64 drags the sign along, so mask it away."""
    return (values >> bits).bitwise_and_((1 << (64 - bits)) - 1)


def _stir(values: Tensor) -> Tensor:
    """Scramble int64 values as `_mix` does, all but the last step, which keeps the upper bits."""
    values = _shift(values, 30).bitwise_xor_(values).mul_(_signed(_FIRST))
    return _shift(values, 27).bitwise_xor_(values).mul_(_signed(_SECOND))


def _mix(values: Tensor) -> Tensor:
    """Scramble int64 values, one to one; each bit flips half of the result's bits."""
    values = _stir(values)
    return _shift(values, 31).bitwise_xor_(values)


def make_keys(seed: int | Tensor, epoch: int | Tensor, samples: Tensor, view: int = 0) -> Tensor:
    """Give every sample the key that all its draws in one view of one epoch are hashed from.

    Parameters
    ----------
    seed, epoch
        Integers, or 0-d int64 tensors on the device of `samples` (a captured step changes them in
        place).
    samples
        (N,) int64: the samples' stable numbers in the data set, never their places in the batch.
    view
        0 for the first view, 1 for the second, and so on.

    Returns
    -------
    Tensor
        (N,) int64.

    Examples
    --------
    >>> samples = torch.arange(4)
    >>> whole = make_keys(0, 3, samples)
    >>> bool((whole[2:] == make_keys(0, 3, samples[2:])).all())
    True
    """
    if samples.dtype != torch.int64 or samples.ndim != 1:
        raise TypeError(
            f"samples: got {samples.dtype} of shape {tuple(samples.shape)}, wanted (N,) int64"
        )
    keys = _mix(samples * _signed(_GOLDEN) + _mix_integer(view + 1))
    keys = _mix(keys + _step(epoch))
    return _mix(keys + _step(seed))


def _step(value: int | Tensor) -> int | Tensor:
    """Scramble an epoch or a seed before it is added, so that neighbouring ones share no keys."""
    if isinstance(value, Tensor):
        return _mix(value.to(torch.int64) * _signed(_GOLDEN) + _signed(_GOLDEN))
    return _mix_integer(value * _GOLDEN + _GOLDEN)


def _numbers(first: int, count: int, device: torch.device | None = None) -> Tensor:
    """Count from `first`: (count,) int64.

    The xor with 0 hides from a compiler that these are counted: TorchInductor (up to 2.14 at least)
    takes multiples of counted numbers for places in memory, and fails where they overflow.
    """
    return torch.arange(first, first + count, device=device) ^ 0


def _counted(keys: Tensor, operation: int, number: int, count: int | None) -> Tensor:
    """Give what is hashed, (N,), or (N, count) for the numbers ``number … number + count - 1``.

    To each key a constant is added that sets one number of one operation apart from all others.
    """
    if count is None or count == 1:  # the constant is mixed without the device
        values = keys + _mix_integer(_mix_integer(operation * _GOLDEN) + number * _GOLDEN)
        return values if count is None else values[:, None]
    return keys[:, None] + _constants([(operation, count)], number, keys.device)


def _constants(counts: Sequence[tuple[int, int]], number: int, device: torch.device) -> Tensor:
    """Give these constants for `count` numbers of each operation, one operation after the other."""
    steps = _numbers(number, max(count for _, count in counts), device) * _signed(_GOLDEN)
    first = [steps[:count] + _mix_integer(one * _GOLDEN) for one, count in counts]
    return _mix(torch.cat(first))


def hashed(keys: Tensor, operation: int, number: int) -> Tensor:
    """Draw a whole number from 0 to 2^62: (N,) int64."""
    return _shift(_mix(_counted(keys, operation, number, None)), 2)


def uniform(keys: Tensor, operation: int, number: int, count: int | None = None) -> Tensor:
    """Draw from [0, 1), float32: (N,), or (N, count) for `count` consecutive numbers.

    Examples
    --------
    >>> keys = make_keys(0, 0, torch.arange(3))
    >>> bool((uniform(keys, 7, 0, 2)[:, 1] == uniform(keys, 7, 1)).all())
    True
    """
    return _fractions(_counted(keys, operation, number, count))


def uniform_tables(keys: Tensor, number: int, counts: Sequence[tuple[int, int]]) -> list[Tensor]:
    """Draw `uniform` from `number` on for many operations in one go, which takes hardly longer.

    Parameters
    ----------
    keys
        (N,) int64.
    number
        The first number of each.
    counts
        (operation, count) for each.

    Returns
    -------
    list of Tensor
        (N, count) for each.
    """
    drawn = _fractions(keys[:, None] + _constants(counts, number, keys.device))
    return list(drawn.split([count for _, count in counts], dim=1))


def _fractions(values: Tensor) -> Tensor:
    """Hash to float32 in [0, 1)."""
    return _shift(_stir(values), 64 - _BITS).to(torch.float32).mul_(2.0**-_BITS)


def normal(keys: Tensor, operation: int, number: int) -> Tensor:
    """Draw standard normal numbers (N,), float32 (Box & Muller 1958).

    One hash gives both uniforms: its upper 24 bits the radius, the next 24 the angle.
    """
    bits = _mix(_counted(keys, operation, number, None))
    radius = 1.0 - _shift(bits, 64 - _BITS).to(torch.float32) * 2.0**-_BITS  # (0, 1]: log is finite
    turn = (_shift(bits, 64 - 2 * _BITS) & ((1 << _BITS) - 1)).to(torch.float32) * 2.0**-_BITS
    return torch.sqrt(-2.0 * torch.log(radius)) * torch.cos(2.0 * math.pi * turn)


def noise_bank(size: int = 1 << 20) -> Tensor:
    """Draw (size,) standard normal numbers once; always the same ones.

    Hashing every pixel of every view would cost more than all other operations together; a window
    into a bank that fits the cache is some five times faster than a generator.
    """
    return normal(_numbers(0, size) * _signed(_GOLDEN), 0, 0)


def noise_windows(keys: Tensor, operation: int, number: int, *, count: int) -> Tensor:
    """Hash where in a bank each of `count` windows begins, and its sign: (N, count) int64."""
    return _mix(_counted(keys, operation, number, count))


def noise_field(bank: Tensor, windows: Tensor, height: int, width: int) -> Tensor:
    """Cut standard normal noise (N, C, height, width) out of `bank` at `windows` (N, C).

    Still a pure function of the counters. Two windows may overlap, but never pixel on pixel unless
    they begin at the same place (one pair in a million).
    """
    places = _shift(windows, 1) % (bank.numel() - height * width)
    signs = 1.0 - 2.0 * (windows & 1).to(bank.dtype)
    field = bank.unfold(0, height * width, 1)[places.reshape(-1)]
    return field.reshape(*windows.shape, height, width) * signs[:, :, None, None]
