"""Which cells are positives of one another, by the columns of their table."""

from collections.abc import Collection

import numpy as np
import pandas as pd

from cellssl.columns import CONCENTRATION, PLATE, TREATMENTS, WELL, agent_column, texts_of
from cellssl.errors import ProtocolError, nearest
from cellssl.protocols.protocol import Protocol
from cellssl.training import Partners

_PREFIX = "Metadata_"
_AGENTS = dict(TREATMENTS)


def build_partners(protocol: Protocol, obs: pd.DataFrame) -> Partners | None:
    """Say which cells show the second view of which, as the protocol's `positives:` wants it.

    Parameters
    ----------
    protocol
        The protocol.
    obs
        One row per image, in the images' order.

    Returns
    -------
    Partners or None
        None where both views show the same cell. Cells without a treatment have no partner but
        themselves, nor have those of plates whose labels are not used.

    Raises
    ------
    ProtocolError
        When a column is missing or empty, or a plate that is named is not there.
    TrainingError
        When no cell has a partner.

    Examples
    --------
    >>> from cellssl.protocols import load, resolve
    >>> cells = pd.DataFrame({"Metadata_Compound": ["DMSO", "taxol", "DMSO"]})
    >>> build_partners(resolve("natural-moco", {"positives": "same_treatment"}), cells).alone
    1
    """
    positives = protocol.positives
    if not positives.weak:
        return None
    found = missing_columns(protocol, obs.columns)
    if found:
        raise ProtocolError(f"protocol {protocol.name}: {'; '.join(found)}")
    groups = _groups(protocol, obs, _label_columns(protocol, obs))
    # A cell whose plate's labels are not used stands alone.
    alone = np.flatnonzero(~_used_rows(protocol, obs))
    groups[alone] = groups.max(initial=0) + 1 + np.arange(len(alone))
    return Partners(groups, _codes(obs[PLATE]) if positives.another_plate else None)


def used_labels(protocol: Protocol, obs: pd.DataFrame) -> dict[str, list[str]]:
    """Say which labels `positives:` or `labels_used:` took from cells: what no fair score may ask for again.

    Parameters
    ----------
    protocol
        The protocol.
    obs
        One row per image that is trained on.

    Returns
    -------
    dict
        ``columns`` that positives are told by, and ``plates`` whose cells' columns were looked at; both
        empty where both views show the same cell. Plates are empty too where these are all, those that
        are not trained on among them, and where the cells name none.

    Examples
    --------
    >>> from cellssl.protocols import resolve
    >>> cells = pd.DataFrame({"Metadata_Plate": ["P1", "P2"], "Metadata_Compound": ["a", "b"]})
    >>> kind = {"kind": "same_treatment", "exclude_plates": ["P2"]}
    >>> used_labels(resolve("natural-moco", {"positives": kind}), cells)
    {'columns': ['Metadata_Compound'], 'plates': ['P1']}
    """
    if not protocol.weak:
        return {"columns": [], "plates": []}
    columns: list[str] = []
    looked_at = np.zeros(len(obs), dtype=bool)
    if protocol.positives.weak:
        columns += _label_columns(protocol, obs)
        looked_at |= _used_rows(protocol, obs)
    chosen = protocol.labels_used
    plates: set[str] = set()
    if PLATE in obs.columns:
        plates.update(texts_of(obs[PLATE])[looked_at])
    if chosen is not None:
        columns += [_PREFIX + name for name in chosen.columns]
        # Amplitudes may have been chosen on plates that are not trained on.
        plates = set() if chosen.plates is None else plates | set(chosen.plates)
    return {"columns": list(dict.fromkeys(columns)), "plates": sorted(plates)}


def _label_columns(protocol: Protocol, obs: pd.DataFrame) -> tuple[str, ...]:
    """Name the columns that tell which cells are positives of one another."""
    if protocol.positives.kind == "same_well":
        return (PLATE, WELL)
    if protocol.positives.columns:
        return tuple(_PREFIX + name for name in protocol.positives.columns)
    agent = agent_column(obs) or _agent_among(obs.columns)
    variant = _AGENTS[agent]
    varied = variant in obs.columns and bool((_codes(obs[variant]) >= 0).any())
    return (agent, variant) if varied else (agent,)


def _agent_among(columns: Collection[str]) -> str:
    """Name the first column there is for what acts on the cells; the usual one where there is none."""
    return next((agent for agent in _AGENTS if agent in columns), next(iter(_AGENTS)))


def _used_rows(protocol: Protocol, obs: pd.DataFrame) -> np.ndarray:
    """Tell which cells' labels are used: (N,) bool."""
    positives = protocol.positives
    named = positives.plates or positives.exclude_plates
    if not named:
        return np.ones(len(obs), dtype=bool)
    plates = texts_of(obs[PLATE])
    there = sorted(set(plates))
    for name in named:
        if name not in there:
            key = "plates" if positives.plates else "exclude_plates"
            raise ProtocolError(
                f"protocol {protocol.name}: positives.{key}: the cells have no plate {name!r}"
                f"{nearest(name, there)}"
            )
    return (plates.isin(named) == bool(positives.plates)).to_numpy()


def missing_columns(protocol: Protocol, columns: Collection[str]) -> list[str]:
    """Name the columns that `positives:` needs and a table lacks, and how to mend it.

    Examples
    --------
    >>> from cellssl.protocols import load
    >>> missing_columns(load("natural-moco"), [])
    []
    """
    positives = protocol.positives
    if not positives.weak:
        return []
    if positives.kind == "same_well":
        needed: tuple[str, ...] = (PLATE, WELL)
    else:
        own = tuple(_PREFIX + name for name in positives.columns or ())
        needed = own or (_agent_among(columns),)
        by_plate = positives.another_plate or positives.plates or positives.exclude_plates
        needed += (PLATE,) if by_plate else ()
    there = [name for name in columns if name.startswith(_PREFIX)]
    have = ", ".join(there) or "no Metadata_ columns"
    return [
        f"positives: {positives.kind} needs the column {name}, which the cells lack; they have "
        f"{have}{nearest(name, there, listed=True)}"
        for name in needed
        if name not in columns
    ]


def _groups(protocol: Protocol, obs: pd.DataFrame, columns: tuple[str, ...]) -> np.ndarray:
    """Give each cell its group's number (N,), one of its own where it belongs to none.

    An empty concentration beside a compound, or guide beside a gene, is a value like others: controls
    often have none.
    """
    codes = {name: _codes(obs[name]) for name in columns}
    for name, column in codes.items():
        if len(column) and not (column >= 0).any():
            raise ProtocolError(
                f"protocol {protocol.name}: positives: {protocol.positives.kind} needs the column "
                f"{name}, which is empty for all {len(column)} cells; name others under columns:"
            )
    may_lack = {own for agent, own in TREATMENTS if agent in columns}
    needed = [name for name in columns if name not in may_lack]
    nothing = np.any([codes[name] < 0 for name in needed], axis=0)
    _, groups = np.unique(np.stack(list(codes.values()), axis=1), axis=0, return_inverse=True)
    groups = groups.reshape(-1).astype(np.int64)
    groups[nothing] = len(obs) + np.arange(int(nothing.sum()))
    return groups


def _codes(column: pd.Series) -> np.ndarray:
    """Give equal values equal numbers (N,), −1 where there is nothing."""
    values = texts_of(column)
    values = values.where(values != "", None)
    if column.name == CONCENTRATION:
        numbers = pd.to_numeric(values, errors="coerce")
        if numbers.notna().equals(values.notna()):  # text that holds numbers: 0.10 is 0.1
            values = numbers
    return pd.factorize(values)[0]
