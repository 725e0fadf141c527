"""From a study to its runs: every combination of settings, with every seed."""

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cellssl.errors import ProtocolError, StudyError
from cellssl.protocols import Protocol, extend, load, resolve
from cellssl.studies.study import Study, Sweep

__all__ = ["PlannedRun", "plan_runs"]


@dataclass(frozen=True)
class PlannedRun:
    """One training of a study.

    Attributes
    ----------
    combination : str
        The settings' names: what repetitions with other seeds share.
    settings : mapping
        Axis → setting.
    seed : int
        Of the training.
    protocol : Protocol
        All that is trained, seed included.
    """

    combination: str
    settings: Mapping[str, str]
    seed: int
    protocol: Protocol

    @property
    def folder(self) -> str:
        """What the run's folder is called."""
        return f"{_plain(self.combination)}-seed{self.seed}"


def plan_runs(study: Study) -> list[PlannedRun]:
    """List the runs, seed by seed, so that what comes first is a whole study with few seeds.

    Raises
    ------
    ProtocolError, StudyError
        When a setting is no protocol, or two combinations are the same.

    Examples
    --------
    >>> from cellssl.studies import load_study
    >>> [run.combination for run in plan_runs(load_study("bbbc021-combination"))][:2]
    ['expert', 'geometry']
    """
    combinations = _combinations(study)
    _check_combined(study, list(combinations))
    return [
        PlannedRun(name, settings, seed, resolve(protocol, {"training.seed": seed}))
        for seed in range(study.seeds)
        for name, (settings, protocol) in combinations.items()
    ]


def _combinations(study: Study) -> dict[str, tuple[dict[str, str], Protocol]]:
    """Build the protocol of each combination."""
    base = load(study.protocol)
    if study.training:
        base = extend(
            base,
            {"name": f"{base.name} in {study.name}", "training": study.training},
            source=f"{study.name}, training",
        )
    found: dict[str, tuple[dict[str, str], Protocol]] = {}
    for chosen in itertools.product(*(_settings(study, axis) for axis in study.axes)):
        settings = dict(zip(study.axes, (name for name, _ in chosen), strict=True))
        name = ", ".join(settings.values())
        protocol = base
        for axis, (setting, change) in zip(study.axes, chosen, strict=True):
            protocol = _laid_over(protocol, change, f"{study.name}, {axis}, {setting}")
        found[name] = settings, protocol.model_copy(update={"name": name})
    folders = [_plain(name) for name in found]
    twice = {folder for folder in folders if folders.count(folder) > 1}
    if twice:
        raise StudyError(f"{study.name}: two combinations are called {twice.pop()!r}; rename one")
    return found


def _plain(name: str) -> str:
    """Make a folder's name of it."""
    return re.sub(r"[^\w.+-]+", "-", name)


def _settings(study: Study, axis: str) -> Iterator[tuple[str, Mapping[str, Any] | tuple[str, Any]]]:
    """Give an axis's settings: what each lays over the protocol."""
    settings = study.axes[axis]
    if not isinstance(settings, Sweep):
        yield from ((name, change or {}) for name, change in settings.items())
        return
    for value in settings.values:
        shown = f"{value:g}" if isinstance(value, int | float) else str(value)
        yield (shown if len(study.axes) == 1 else f"{axis} {shown}"), (settings.sweep, value)


def _laid_over(
    protocol: Protocol, change: Mapping[str, Any] | tuple[str, Any], source: str
) -> Protocol:
    """Lay a setting over a protocol."""
    if isinstance(change, tuple):
        try:
            return resolve(protocol, dict([change]))
        except ProtocolError as error:
            raise ProtocolError(f"{source}: {error}") from error
    if not change:
        return protocol
    values = dict(change)
    if "views_of" in values:
        values["views"] = load(values.pop("views_of")).to_dict()["views"]
    return extend(protocol, {"name": source, **values}, source=source)


def _check_combined(study: Study, combinations: list[str]) -> None:
    """Make sure that what is put side by side is trained."""
    for name, parts in study.combine.items():
        unknown = [part for part in parts if part not in combinations]
        if unknown or len(parts) < 2:
            what = f"{unknown[0]!r} is no combination" if unknown else "one alone is no combination"
            raise StudyError(
                f"{study.name}, combine, {name}: {what}; there are {', '.join(combinations)}"
            )
        if name in combinations:
            raise StudyError(f"{study.name}, combine: {name!r} is a combination already; rename it")
        most = max(parts.count(part) for part in parts)
        if most > study.seeds:
            raise StudyError(
                f"{study.name}, combine, {name}: {most} seeds of one combination, but the study has "
                f"{study.seeds}"
            )
