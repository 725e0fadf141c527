"""Weights into a network: all of them, or none."""

from collections.abc import Mapping

from torch import Tensor, nn

from cellssl.errors import ModelError
from cellssl.words import listed


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
            + _how_to_mend(wanted, state)
        )
    network.load_state_dict(dict(state), strict=False)


def _how_to_mend(wanted: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> str:
    """Tell weights under longer names (``module.conv1.weight``), as other tools write them, from another network's."""
    first, needed = next(iter(wanted)), [k for k in wanted if not k.endswith("tracked")]
    begins = [key.removesuffix(first) for key in state if key.endswith(f".{first}")]
    begins = [begin for begin in begins if all(f"{begin}{key}" in state for key in needed)]
    if not begins:
        return "Choose the model that the weights were trained for."
    which = " (one may be the moving average: take the other)" if len(begins) > 1 else ""
    return (
        f"They are there under names that begin with {' and '.join(map(repr, begins))}{which}: save them "
        f"without it, torch.save({{k.removeprefix({begins[0]!r}): v for k, v in state.items() if "
        f"k.startswith({begins[0]!r})}}, file)."
    )
