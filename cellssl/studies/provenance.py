"""What a page says of trainings: on which crops, on which device, when, with which software."""

import json
import logging
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from cellssl.columns import PLATE
from cellssl.crops import Crops
from cellssl.words import counted, listed

_LOG = logging.getLogger(__name__)


def read_environments(runs: Mapping[str, Path]) -> dict[str, Mapping[str, Any]]:
    """Read the ``environment.json`` of each run that has a whole one: name → its content."""
    found = {}
    for name, folder in runs.items():
        file = folder / "environment.json"
        try:
            content = json.loads(file.read_text("utf-8"))
            training_place(content), training_day(content)  # all that a page says of it is there
        except FileNotFoundError:
            continue
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            _LOG.warning("%s cannot be read: where and when is left out (%s)", file, error)
            continue
        found[name] = content
    return found


def describe_crops(crops: Crops) -> str:
    """Describe a crop file: name, cells, plates, channels and size."""
    plates = list(dict.fromkeys(crops.plates)) if PLATE in crops.obs else []
    where = f" on {counted(len(plates), 'plate')} ({listed(plates, most=4)})" if plates else ""
    pictures = f"{', '.join(crops.channels)}, {crops.size} px"
    return f"{crops.path.name}, {counted(len(crops), 'cell')}{where}; {pictures}"


def describe_orientations(orientations: int) -> str:
    """Say of which orientations of a cell features are, the same for all embeddings of a page."""
    if orientations == 1:
        return "each cell as it lies, in every embedding"
    return f"the mean over {orientations} orientations of each cell, in every embedding"


def describe_trainings(environments: Collection[Mapping[str, Any]]) -> str:
    """Sum up devices, dates and software."""
    if not environments:
        return "where and when is not known: no run's environment.json is there"
    days = sorted({training_day(one) for one in environments})
    when = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    devices, software = zip(*map(training_place, environments), strict=True)
    return f"{when}, on {listed([*dict.fromkeys(devices)])}; {listed([*dict.fromkeys(software)])}"


def doubt_of_places(environments: Collection[Mapping[str, Any]]) -> str:
    """Say where trainings were made in several places; "" where in one."""
    if len(set(map(training_place, environments))) < 2:
        return ""
    return (
        "The runs were not all made on the same device with the same software, which round sums "
        "differently: a training made again elsewhere gives other numbers, as another seed does."
    )


def doubt_of_seeds(seeds: int) -> str:
    """Say where too few were trained; "" where there are three."""
    return "" if seeds >= 3 else "Fewer than three seeds: no claim rests on these numbers."


def training_place(environment: Mapping[str, Any]) -> tuple[str, str]:
    """Name a run's device and its software."""
    device = str(environment.get("device_name") or environment["device"])
    if environment.get("devices", 1) > 1:
        device = f"{environment['devices']} × {device}"
    if environment["device"] == "cpu":
        device += f" ({counted(environment['threads'], 'thread')}, {environment['platform']})"
    packages = environment["packages"]
    return device, f"cellssl {packages['cellssl']}, torch {packages['torch']}"


def training_day(environment: Mapping[str, Any]) -> str:
    """Give the day on which a run, or its last part, was begun."""
    return str(environment["date"])[:10]
