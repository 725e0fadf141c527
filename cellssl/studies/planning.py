"""From a study to its runs: every combination of settings, with every seed."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cellssl.errors import ProtocolError, StudyError, nearest
from cellssl.files import safe_name
from cellssl.protocols import Protocol, extend, load, resolve
from cellssl.studies.combining import combination_faults
from cellssl.studies.library import SAID_OF_SETTINGS
from cellssl.studies.study import Study, Sweep, value_name

_SEEDS = "`seeds:` says how many trainings there are, seeded 0, 1, …"


@dataclass(frozen=True)
class PlannedRun:
    """One training of a study.

    Attributes
    ----------
    combination : str
        The settings' names: what repetitions with other seeds share.
    settings : mapping
        Axis → setting; of a sweep its value.
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
        return f"{safe_name(self.combination)}-seed{self.seed}"


def plan_runs(study: Study) -> list[PlannedRun]:
    """List the runs, seed by seed, so that what comes first is a whole study with few seeds.

    Raises
    ------
    StudyError
        When a setting makes no protocol, or two combinations are the same: with file and line.

    Examples
    --------
    >>> from cellssl.studies import load_study
    >>> [run.combination for run in plan_runs(load_study("bbbc021-combination"))][:2]
    ['expert', 'geometry']
    """
    combinations = _combinations(study)
    for name, fault in combination_faults(study.combine, list(combinations), study.seeds):
        raise StudyError(f"{study.locate('combine', name)}: {fault}")
    _check_galleries(study, list(combinations))
    return [
        PlannedRun(name, settings, seed, resolve(protocol, {"training.seed": seed}))
        for seed in range(study.seeds)
        for name, (settings, protocol) in combinations.items()
    ]


def twins(runs: Sequence[PlannedRun]) -> list[tuple[str, ...]]:
    """Find the combinations whose protocols differ in nothing but names and prose.

    Examples
    --------
    >>> from cellssl.studies import load_study
    >>> twins(plan_runs(load_study("bbbc021-combination")))
    []
    """
    alike: dict[str, list[str]] = {}
    for run in runs:
        values = run.protocol.to_dict() | {"name": "", "description": ""}
        alike.setdefault(repr(_without_prose(values)), []).append(run.combination)
    return list(dict.fromkeys(tuple(names) for names in alike.values() if len(names) > 1))


def _without_prose(value: Any) -> Any:
    """Leave out why operations are there."""
    if isinstance(value, Mapping):
        return {key: _without_prose(one) for key, one in value.items() if key != "because"}
    return [_without_prose(one) for one in value] if isinstance(value, list) else value


def _combinations(study: Study) -> dict[str, tuple[dict[str, str], Protocol]]:
    base = base_protocol(study)
    found: dict[str, tuple[dict[str, str], Protocol]] = {}
    folders: dict[str, str] = {}
    for chosen in itertools.product(*(_settings(study, axis) for axis in study.axes)):
        settings = {one.axis: one.name for one in chosen}
        name = ", ".join(one.shown for one in chosen)
        protocol = base
        for one in chosen:
            protocol = _laid_over(protocol, one, study)
        if protocol.training.seed != base.training.seed:
            raise StudyError(f"{study.locate('axes')}: {name}: a seed is no setting; {_SEEDS}")
        twin = folders.setdefault(safe_name(name).casefold(), name)
        if name in found or twin != name:
            raise StudyError(
                f"{study.locate('axes')}: the combinations {twin!r} and {name!r} would have the same "
                "folder; rename a setting"
            )
        found[name] = settings, protocol.model_copy(update={"name": name})
    return found


def base_protocol(study: Study) -> Protocol:
    """Give the protocol that all combinations are made from."""
    if "seed" in study.training:
        raise StudyError(f"{study.locate('training', 'seed')}: {_SEEDS}")
    try:
        base = load(study.protocol)
    except ProtocolError as error:
        raise StudyError(f"{study.locate('protocol')}: {error}") from error
    for block, values in (("crop", study.crop), ("training", study.training)):
        if values:
            change = {"name": f"{base.name} in {study.name}", block: values}
            base = _extended(base, change, study.locate(block))
    return base


@dataclass(frozen=True)
class _Setting:
    """One setting of an axis: what it lays over the protocol, and what it is called."""

    axis: str
    name: str
    shown: str  # within a combination's name
    change: Mapping[str, Any]  # by dotted key, of a sweep


def _settings(study: Study, axis: str) -> list[_Setting]:
    settings = study.axes[axis]
    if not isinstance(settings, Sweep):
        return [_Setting(axis, name, name, change or {}) for name, change in settings.items()]
    names = [value_name(value) for value in settings.values]
    return [
        _Setting(
            axis, name, name if len(study.axes) == 1 else f"{axis} {name}", {settings.sweep: value}
        )
        for name, value in zip(names, settings.values, strict=True)
    ]


def _laid_over(protocol: Protocol, setting: _Setting, study: Study) -> Protocol:
    change = dict(setting.change)
    if isinstance(study.axes[setting.axis], Sweep):
        source = study.locate("axes", setting.axis, "values")
        try:
            return resolve(protocol, change)
        except ProtocolError as error:
            raise StudyError(f"{source}, {setting.name}: {error}") from error
    if not change:
        return protocol
    source = study.locate("axes", setting.axis, setting.name)
    if "views_of" in change:
        try:
            other = load(change.pop("views_of"))
        except ProtocolError as error:
            raise StudyError(f"{source}, views_of: {error}") from error
        if other.groups:
            raise StudyError(f"{source}, views_of: {other.name} has groups; name one without")
        change["views"] = other.to_dict()["views"]
        if other.labels_used is not None:  # views that were chosen by labels bring them along
            change.setdefault("labels_used", other.to_dict()["labels_used"])
    try:
        return _extended(protocol, {"name": setting.name, **change}, source)
    except StudyError as error:
        if setting.name not in SAID_OF_SETTINGS:
            raise
        raise StudyError(
            f"{error}\n{source}: {setting.name!r} is what settings say; if {setting.axis!r} is a setting, "
            "write its axis's name above it"
        ) from error


def _extended(protocol: Protocol, change: Mapping[str, Any], source: str) -> Protocol:
    """Extend a protocol; say of a mistake where it stands."""
    own = {"description": protocol.description}  # a study's cells stay the same
    try:
        return extend(protocol, {**own, **change}, source=source)
    except ProtocolError as error:
        raise StudyError(str(error)) from error


def _check_galleries(study: Study, combinations: list[str]) -> None:
    """Make sure that the embeddings whose clusters are wanted will be there."""
    known = [*combinations, *study.combine, *study.baselines]
    for name in study.galleries:
        if name not in known:
            raise StudyError(
                f"{study.locate('galleries')}: {name!r} is no combination, nothing that is put "
                f"together and no baseline{nearest(name, known)}"
            )
