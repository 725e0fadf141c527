"""MoCo v2: a cell against a slowly moving encoder's view of it, and a queue of earlier cells."""

import logging

import torch
from torch import Tensor
from torch.nn import functional

from cellssl.encoders import Encoder
from cellssl.errors import TrainingError
from cellssl.methods.averaging import follow, frozen, momentum_at
from cellssl.methods.gathering import gathered
from cellssl.methods.heads import mlp
from cellssl.methods.method import Method, full_precision
from cellssl.methods.options import fraction, positive, switch, whole

_LOG = logging.getLogger(__name__)
_LONGEST = 2**24  # of a queue: 17 GB at 256 numbers each; the paper's has 2**16


def info_nce_loss(
    queries: Tensor, keys: Tensor, queue: Tensor, *, temperature: float = 0.2
) -> Tensor:
    """InfoNCE with one positive and a queue of negatives.

    He et al., *Momentum Contrast for Unsupervised Visual Representation Learning* (2019, arXiv
    1911.05722), equation 1: −log( exp(q·k⁺ / T) / (exp(q·k⁺ / T) + Σ_{k in queue} exp(q·k / T)) ),
    averaged over the batch.

    Parameters
    ----------
    queries : Tensor
        (B, D) of any length.
    keys : Tensor
        (B, D) of any length; row i is the positive of query i. Gets no gradient.
    queue : Tensor
        (K, D) of unit length: negatives only. It must not hold `keys`, else each positive were a
        negative too.
    temperature : float
        T.

    Returns
    -------
    Tensor
        0-d mean loss.

    Examples
    --------
    >>> q, queue = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    >>> round(info_nce_loss(q, q, queue, temperature=1.0).item(), 4)  # log(1 + 1 / e)
    0.3133
    """
    q, k = functional.normalize(queries, dim=1), functional.normalize(keys.detach(), dim=1)
    positives = (q * k).sum(dim=1, keepdim=True)  # (B, 1)
    negatives = q @ queue.detach().to(q.dtype).T  # (B, K)
    logits = torch.cat([positives, negatives], dim=1) / temperature
    target = torch.zeros(len(q), dtype=torch.long, device=q.device)
    return functional.cross_entropy(logits, target)


class MoCo(Method):
    """MoCo v2 (Chen et al. 2020, arXiv 2003.04297): momentum encoder, queue, non-linear head.

    On one device the shuffling of batch normalisation that the paper describes does nothing, since
    there is only one batch to shuffle within: it is left out, and batch normalisation runs over the
    whole batch, the queries' and the keys' each for itself.

    The keys of a step join the queue in `after_step`, so that no loss ever meets its own positives
    as negatives.

    Parameters
    ----------
    encoder : Encoder
        Gives the features that are kept. Its copy, the momentum encoder, is made here.
    hidden, dim : int
        Width of the projection head's hidden layer and of its output.
    temperature : float
        Of the loss.
    queue : int
        Earlier keys to compare with. It is shortened to the data set, and to a multiple of the
        batch.
    momentum, final_momentum : float
        Of the momentum encoder, at the first and after the last step, by a cosine of the global
        step.
    symmetric : bool
        Also compare view 2 with the key of view 1, with a second queue, and average both
        (solo-learn's MoCo v2+). Costs twice the passes.
    """

    name = "moco"
    directions = True
    queue: Tensor
    pointer: Tensor

    def __init__(
        self,
        encoder: Encoder,
        *,
        hidden: int = 2048,
        dim: int = 256,
        temperature: float = 0.2,
        queue: int = 32768,
        momentum: float = 0.99,
        final_momentum: float = 0.999,
        symmetric: bool = False,
    ) -> None:
        super().__init__()
        whole(hidden=hidden, dim=dim)
        whole(queue=queue, most=_LONGEST)
        positive(temperature=temperature)
        fraction(momentum=momentum, final_momentum=final_momentum)
        switch(symmetric=symmetric)
        self.encoder = encoder
        self.projector = mlp(encoder.feature_dim, hidden, dim)
        self.key_encoder = frozen(self.encoder)
        self.key_projector = frozen(self.projector)
        self.temperature, self.symmetric = temperature, symmetric
        self.momentum, self.final_momentum = momentum, final_momentum
        # (V, K, D): one queue for each direction of comparison.
        start = functional.normalize(torch.randn(2 if symmetric else 1, queue, dim), dim=2)
        self.register_buffer("queue", start)
        self.register_buffer("pointer", torch.zeros((), dtype=torch.long))
        self._new_keys: list[Tensor] = []

    def begin(self, samples: int, batch_size: int) -> None:
        """Shorten the queue to the data set and to a multiple of the batch."""
        asked = self.queue.shape[1]
        kept = max(min(asked, samples) // batch_size, 1) * batch_size
        if kept < asked:
            _LOG.info(
                "MoCo's queue is shortened from %d to %d keys: at most the %d cells there are, and "
                "a multiple of the batch of %d.",
                asked,
                kept,
                samples,
                batch_size,
            )
            self.queue = self.queue[:, :kept].clone()
        elif kept > asked:
            raise TrainingError(
                f"MoCo's queue of {asked} keys is shorter than the {batch_size} cells of a step: give "
                "method_options a longer queue (a multiple of them), or lower batch_size or accumulate"
            )

    def forward(self, view1: Tensor, view2: Tensor, *small: Tensor) -> Tensor:
        """Give the mean loss over pairs; the keys of the first pair alone join the queue."""
        before = len(self._new_keys)
        loss = super().forward(view1, view2, *small)
        del self._new_keys[before + 1 :]
        return loss

    def loss(self, view1: Tensor, view2: Tensor) -> Tensor:
        """Give the InfoNCE loss of two views (B, C, H, W): view 1 asks, view 2 is the key."""
        if not self.symmetric:
            loss, keys = self._compare(view1, view2, self.queue[0])
            self._new_keys.append(keys[None])
            return loss
        first, keys2 = self._compare(view1, view2, self.queue[0])
        second, keys1 = self._compare(view2, view1, self.queue[1])
        self._new_keys.append(torch.stack([keys2, keys1]))
        return (first + second) / 2

    def _compare(self, asking: Tensor, answering: Tensor, queue: Tensor) -> tuple[Tensor, Tensor]:
        """Loss of one direction, and the keys (B, D) that it met."""
        queries = self.projector(self.encoder(asking))
        with torch.no_grad():
            keys = self.key_projector(self.key_encoder(answering))
        with torch.autocast(queries.device.type, enabled=False):
            q, k = full_precision(queries, keys)
            loss = info_nce_loss(q, k, queue, temperature=self.temperature)
            return loss, gathered(functional.normalize(k, dim=1))

    @torch.no_grad()
    def after_step(self, step: Tensor | int, total: int) -> None:
        """Move the key encoder towards the encoder, and let the step's keys join the queue."""
        momentum = momentum_at(step, total, start=self.momentum, end=self.final_momentum)
        follow(self.key_encoder, self.encoder, momentum)
        follow(self.key_projector, self.projector, momentum)
        for keys in self._new_keys:
            self._enqueue(keys)
        self._new_keys.clear()

    def forget_step(self) -> None:
        """Drop the keys of a step that broke off."""
        self._new_keys.clear()

    def _enqueue(self, keys: Tensor) -> None:
        """Write keys (V, B, D) over the oldest ones; the pointer never leaves the device."""
        batch, length = keys.shape[1], self.queue.shape[1]
        places = (self.pointer + torch.arange(batch, device=keys.device)) % length
        self.queue.index_copy_(1, places, keys.to(self.queue.dtype))
        self.pointer.add_(batch).remainder_(length)
