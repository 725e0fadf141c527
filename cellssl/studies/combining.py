"""Embeddings put side by side, seed by seed: which can be, and the files that they make."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import anndata as ad

from cellssl.errors import nearest
from cellssl.files import safe_name, write_h5ad
from cellssl.phenotypes import combine
from cellssl.studies.ledger import Ledger, fingerprint


def combination_faults(
    wanted: Mapping[str, Sequence[str]],
    known: Sequence[str],
    seeds: int,
    *,
    fixed: Sequence[str] = (),
) -> Iterator[tuple[str, str]]:
    """Say which combinations cannot be put together, and why: name and fault.

    Parameters
    ----------
    wanted : mapping
        Name → parts, which are side by side.
    known : sequence of str
        What there is to put together.
    seeds : int
        Trainings of each.
    fixed : sequence of str
        Those that have no seeds: side by side with themselves they say nothing more.
    """
    files: dict[str, str] = {}
    for name, parts in wanted.items():
        unknown = next((part for part in parts if part not in known), None)
        most = max(map(parts.count, parts), default=0)
        twin = files.setdefault(safe_name(name).casefold(), name)
        if name in known:
            yield name, "one of its possible parts is called so already; rename it"
        elif unknown is not None:
            yield name, f"{unknown!r} is not there to be combined{nearest(unknown, known)}"
        elif len(parts) < 2:
            yield name, f"needs two parts, got {len(parts)}"
        elif most > seeds:
            yield name, f"wants {most} seeds of one part, but there are {seeds}"
        elif any(parts.count(part) > 1 for part in fixed):
            yield name, "names a part twice that has no seeds; name it once"
        elif twin != name:
            yield name, f"its file would be called as that of {twin!r}; rename it"


def put_together(
    wanted: Mapping[str, Sequence[str]],
    seeds: Sequence[int],
    there: Mapping[tuple[str, int], Path],
    ledger: Ledger,
) -> Iterator[Path]:
    """Put embeddings side by side, seed by seed, where all of them are there; give the files."""
    for name, parts in wanted.items():
        for seed, files in repetitions_of(parts, seeds, there):
            path = ledger.path.parent / f"{safe_name(name)}-seed{seed}.combined.h5ad"
            inputs = {
                "name": name,
                "seed": seed,
                "files": [{"run": file.parent.name, **fingerprint(file)} for file in files],
            }
            ledger.finish(path.name, inputs, path, partial(combined, files, name, seed, path))
            yield path


def repetitions_of(
    parts: Sequence[str], seeds: Sequence[int], there: Mapping[tuple[str, int], Path]
) -> Iterator[tuple[int, list[Path]]]:
    """Give the seed and the files of each repetition of a combination of which all parts are there."""
    for seed, chosen in zip(seeds, seed_by_seed(parts, seeds), strict=False):
        if all(key in there for key in chosen):
            yield seed, [there[key] for key in chosen]


def combined(files: Sequence[Path], name: str, seed: int, out: Path | None = None) -> ad.AnnData:
    """Put embeddings side by side, as one repetition of a combination; write them where `out` says."""
    joined = combine(files, name=name)
    joined.uns["cellssl"]["seed"] = seed
    if out is not None:
        write_h5ad(joined, out)
    return joined


def seed_by_seed(parts: Sequence[str], seeds: Sequence[int]) -> list[list[tuple[str, int]]]:
    """Say which seed of each part goes into each repetition of a combination.

    The second time that a part is named it gives its next seed, and so on in a circle. The same
    trainings in another order are no repetition.

    Examples
    --------
    >>> seed_by_seed(["a", "b"], range(2))
    [[('a', 0), ('b', 0)], [('a', 1), ('b', 1)]]
    >>> seed_by_seed(["a", "a"], range(2))
    [[('a', 0), ('a', 1)]]
    """
    found: dict[frozenset[tuple[str, int]], list[tuple[str, int]]] = {}
    for first in range(len(seeds)):
        places = [first + parts[:place].count(part) for place, part in enumerate(parts)]
        chosen = [
            (part, seeds[place % len(seeds)]) for part, place in zip(parts, places, strict=True)
        ]
        found.setdefault(frozenset(chosen), chosen)
    return list(found.values())
