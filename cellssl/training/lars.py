"""LARS: a learning rate for each layer, for large batches."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

_EPSILON = 1e-8


def trust_factor(
    weights: Tensor, gradients: Tensor, *, trust: float, decay: float, lr: Tensor | float
) -> Tensor:
    """Give the factor on a layer's update.

    You et al., *Large Batch Training of Convolutional Networks* (2017, arXiv 1708.03888), equation
    6: η |w| / (|g| + β |w|), clipped so that the layer's own rate never exceeds the global one:
    min(ratio / lr, 1), as solo-learn has it. A layer without weights or gradient keeps the factor 1.

    Parameters
    ----------
    weights, gradients : Tensor
        (L,) norms of each layer's weights and gradient.
    trust : float
        η.
    decay : float
        β, the weight decay.
    lr : Tensor or float
        The global learning rate.

    Returns
    -------
    Tensor
        (L,), at most 1.

    Examples
    --------
    >>> w, g = torch.tensor([1.0, 1.0, 0.0]), torch.tensor([1.0, 0.01, 1.0])
    >>> [round(f, 3) for f in trust_factor(w, g, trust=0.02, decay=0.0, lr=0.1).tolist()]
    [0.2, 1.0, 1.0]
    """
    ratio = trust * weights / (gradients + decay * weights + _EPSILON)
    usual = (weights > 0) & (gradients > 0)
    return torch.where(usual, (ratio / lr).clamp(max=1), 1.0)


class LARS(torch.optim.Optimizer):
    """Momentum SGD whose layers are scaled by `trust_factor`.

    Biases and norms (everything of one dimension) belong into a group with ``adapt=False`` and
    ``weight_decay=0``: they are neither scaled nor decayed. Nothing in a step waits for the device.

    Parameters
    ----------
    params : iterable
        Parameters or groups of them; a group may set ``lr``, ``weight_decay`` and ``adapt``.
    lr : Tensor or float
        Global learning rate.
    momentum, weight_decay : float
        Of SGD.
    trust : float
        η.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: Tensor | float,
        *,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        trust: float = 0.02,
    ) -> None:
        defaults = {"lr": lr, "weight_decay": weight_decay, "adapt": True}
        super().__init__(params, defaults)
        self._momentum, self._trust = momentum, trust

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update all weights."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            weights = [p for p in group["params"] if p.grad is not None]
            if weights:
                self._update(weights, group)
        return loss

    def _update(self, weights: list[Tensor], group: dict[str, Any]) -> None:
        """Update one group; its tensors are taken together where the device can."""
        lr, decay = group["lr"], group["weight_decay"]
        gradients = [p.grad for p in weights if p.grad is not None]
        updates = torch._foreach_add(gradients, weights, alpha=decay)
        if group["adapt"]:
            norms = (torch.stack(torch._foreach_norm(t)) for t in (weights, gradients))
            factors = trust_factor(*norms, trust=self._trust, decay=decay, lr=lr)
            torch._foreach_mul_(updates, list(factors.unbind()))
        moments = [self._moment(p) for p in weights]
        torch._foreach_mul_(moments, self._momentum)
        torch._foreach_add_(moments, updates)
        torch._foreach_sub_(weights, torch._foreach_mul(moments, lr))

    def _moment(self, parameter: Tensor) -> Tensor:
        """Give a parameter's moving sum of updates."""
        state = self.state[parameter]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(parameter)
        return state["momentum_buffer"]
