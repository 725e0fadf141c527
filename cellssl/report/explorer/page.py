"""The page itself: data, plotting library and scripts in one HTML file."""

from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import numpy as np
import pandas as pd
from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup
from matplotlib import colormaps
from matplotlib.colors import to_hex

from cellssl.columns import texts_of
from cellssl.phenotypes.columns import well_names
from cellssl.report.explorer.table import pack, pack_columns
from cellssl.report.figures.style import GREY, OKABE_ITO
from cellssl.report.page import load_template

# In this order they are one script; the first ones know nothing of the last.
SCRIPTS = ("columns", "colouring", "pictures", "map", "filters", "selection", "explorer")
SHADES = 64  # of viridis
# What is shown of a cell beside the pointer, where it is known.
BRIEF = ("Plate", "Well", "Site", "Field", "Compound", "Concentration", "MOA")


def describe_cells(
    obs: pd.DataFrame, points: np.ndarray, *, colour: str, crops: dict[str, Any] | None
) -> dict[str, Any]:
    """Gather what the page's scripts read.

    Parameters
    ----------
    obs
        The cells and their columns.
    points
        (N, 2) places on the map.
    colour
        The column that colours them first.
    crops
        What :meth:`Pictures.describe` says; None without pictures.
    """
    # A column without a value would be one more choice that colours nothing.
    full = [name == colour or texts_of(obs[name].drop_duplicates()).any() for name in obs]
    obs = obs.loc[:, full]
    columns, wells = pack_columns(obs), well_names(obs)
    labels = [column["label"] for column in columns]
    viridis = colormaps["viridis"].resampled(SHADES)
    return {
        "names": obs.index.astype(str).tolist(),
        "x": pack(points[:, 0].astype(np.float32)),
        "y": pack(points[:, 1].astype(np.float32)),
        "columns": columns,
        "wells": None if wells is None else pack(pd.factorize(wells)[0].astype(np.int32)),
        "colour": list(obs.columns).index(colour),
        "brief": [labels.index(label) for label in BRIEF if label in labels],
        "look": {
            "palette": list(OKABE_ITO),
            "grey": GREY,
            "scale": [to_hex(viridis(shade)) for shade in range(SHADES)],
        },
        "crops": crops,
    }


def render(
    data: dict[str, Any], *, title: str, note: str, pictures: Sequence[str | None] | None
) -> str:
    """Write the page.

    Parameters
    ----------
    data
        From `describe_cells`.
    note
        Sentences beneath the title.
    pictures
        Base64 JPEGs, one per cell or None; None where the page has none, or gets them from a server.
    """
    from plotly.offline import get_plotlyjs  # 0.1 s that nobody else should wait for

    crops = data["crops"]
    return load_template("cellssl.report.explorer", "assets", "explorer.html").render(
        title=title,
        note=note,
        style=_read("explorer.css"),
        plotly=Markup(get_plotlyjs()),  # noqa: S704 - the library's own text
        script=Markup("\n").join(_read(f"{name}.js") for name in SCRIPTS),
        data=htmlsafe_json_dumps(data),
        pictured=crops is not None,
        served=crops is not None and crops["served"],
        pictures=None if pictures is None else htmlsafe_json_dumps(pictures),
    )


def _read(name: str) -> Markup:
    """Read one of our own files, which is part of the page as it stands."""
    return Markup((files(__package__) / "assets" / name).read_text("utf-8"))  # noqa: S704
