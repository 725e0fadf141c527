"""Which device to compute on."""

import torch

from cellssl.errors import TrainingError

__all__ = ["pick_device"]


def pick_device(name: str = "auto") -> torch.device:
    """Choose a device by name.

    Parameters
    ----------
    name
        "auto" (an accelerator where there is one, else the CPU), "cpu", "cuda", "cuda:1" or "mps".

    Raises
    ------
    TrainingError
        When there is no such device here.

    Examples
    --------
    >>> pick_device("cpu")
    device(type='cpu')
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).split("\n")[0]
        raise TrainingError(f"no device {name!r} here ({reason}); take auto or cpu") from error
    return device
