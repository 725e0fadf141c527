"""Weights into a network: all of them, or none."""

from collections.abc import Mapping

from torch import Tensor, nn

from cellssl.errors import ModelError
from cellssl.words import listed

__all__ = ["load_state"]


def load_state(network: nn.Module, state: Mapping[str, Tensor], *, source: str) -> None:
    """Load a state dict into a network whose parameters are the same in name and shape.

    Parameters
    ----------
    network : nn.Module
        Changed in place.
    state : mapping of str to Tensor
        Parameters and buffers by name.
    source : str
        Where they come from, for the error.

    Raises
    ------
    ModelError
        When a parameter is missing, unexpected or of another shape; names some of each kind.
    """
    wanted = network.state_dict()
    # Batch counters are not used in inference, and older files lack them.
    missing = [k for k in wanted if k not in state and not k.endswith("num_batches_tracked")]
    unexpected = [k for k in state if k not in wanted]
    shapes = [
        f"{k} {tuple(state[k].shape)} instead of {tuple(wanted[k].shape)}"
        for k in wanted
        if k in state and state[k].shape != wanted[k].shape
    ]
    kinds = {"missing": missing, "unexpected": unexpected, "of another shape": shapes}
    differences = [
        f"{len(keys)} {kind} ({listed(keys, most=3)})" for kind, keys in kinds.items() if keys
    ]
    if differences:
        name = getattr(network, "name", type(network).__name__)
        raise ModelError(
            f"{source} does not hold weights of this {name}: parameters {'; '.join(differences)}. "
            "Choose the model that the weights were trained for."
        )
    network.load_state_dict(dict(state), strict=False)
