"""A look at whole fields, at the outlines that the segmenter found, and at the illumination."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from cellssl.columns import COMPOUND, CONTROL, PLATE, WELL
from cellssl.controls import control_kinds
from cellssl.errors import CellsslError
from cellssl.plates import PlateIndex, read_field
from cellssl.report.figures.gallery import field_montage, outline_figure
from cellssl.report.figures.illumination import illumination_figure
from cellssl.report.figures.style import UNKNOWN, as_categories
from cellssl.report.page import Block, Picture, Section, Text
from cellssl.words import listed

MOST_FIELDS = 6
MOST_OVERLAYS = 4
MOST_LIT = 4
GAMMA = 0.7  # lifts dim structures without burning out bright ones


def images_section(
    index: PlateIndex | None,
    overlays: Sequence[tuple[str, np.ndarray, np.ndarray]],
    illumination: Mapping[str, np.ndarray],
    label: str | None,
    *,
    remarks: Sequence[str] = (),
) -> Section | None:
    """Show one field per treatment group, outlines of nuclei in some fields, and how plates were lit.

    What is unusual about the images comes first.
    """
    blocks: list[Block] = [Text(_sentence(remark), tone="warning") for remark in remarks]
    if len(overlays):
        shown = overlays[:MOST_OVERLAYS]
        caption = (
            "Orange lines are the borders of what was taken for a nucleus: each nucleus should "
            "have one line around it, with neighbours kept apart and no line around dirt."
        )
        alt = f"Outlines of nuclei in {len(shown)} fields"
        blocks.append(Picture(outline_figure(shown), caption, alt))
    if index is not None and len(index.fields):
        blocks += _montage(index, label)
        if illumination:
            blocks.append(_lighting(illumination, index.channels))
    return Section("images", "Images", "Images and segmentation", blocks) if blocks else None


def _sentence(remark: str) -> str:
    return remark[:1].upper() + remark[1:] + "." * (remark[-1] not in ".?")


def _lighting(illumination: Mapping[str, np.ndarray], channels: Sequence[str]) -> Picture:
    """Show what was divided out of the fields of the first plates."""
    shown = dict(list(illumination.items())[:MOST_LIT])
    caption = (
        "Uneven illumination, estimated from the median over many fields of a plate and divided out of "
        "every one before cells were looked for. It should be smooth, without the shapes of cells."
    )
    left = [
        f"{plate} {channel}"
        for plate, flat in shown.items()
        for channel, light in zip(channels, flat, strict=True)
        if np.ptp(light) == 0  # even light; its mean of 1 may be rounded
    ]
    if left:
        caption += (
            f" Left as they are, since half of the fields foretold the other half best without a pattern, or the "
            f"pattern was none that a lamp makes: {listed(left)}."
        )
    if len(illumination) > MOST_LIT:
        caption += f" The first {MOST_LIT} of {len(illumination)} plates."
    return Picture(
        illumination_figure(shown, channels), caption, f"Illumination of {listed(list(shown))}"
    )


def _montage(index: PlateIndex, label: str | None) -> list[Block]:
    pixels: dict[str, np.ndarray] = {}
    failed: list[str] = []
    for title, row in _examples(index.fields, label):
        try:
            pixels[title] = read_field(row, index.channels).astype(np.float32)
        except CellsslError as error:
            failed.append(str(error))
    blocks: list[Block] = []
    if pixels:
        caption = (
            "Whole fields, one of each kind, all with the same brightness scale: what the "
            "microscope saw before anything was cut out or computed."
        )
        figure = field_montage(_scaled(pixels), index.channels)
        blocks.append(Picture(figure, caption, f"Fields of view: {listed(list(pixels))}"))
    if failed:
        blocks.append(
            Text(f"Some fields could not be shown: {listed(failed, most=3)}", tone="warning")
        )
    return blocks


def _examples(fields: pd.DataFrame, label: str | None) -> list[tuple[str, pd.Series]]:
    """Choose one field per label, controls first; fields spread over the plate without one."""
    by = next((name for name in (label, CONTROL, COMPOUND) if name in fields), None)
    if by is None or as_categories(fields[by]).nunique() < 2:
        places = np.unique(np.linspace(0, len(fields) - 1, min(4, len(fields))).astype(int))
        return [(_place(row), row) for _, row in fields.iloc[places].iterrows()]
    kinds = as_categories(fields[by])
    control = control_kinds(fields.get(CONTROL, pd.Series("", fields.index)))
    order = [kind for sign in ("negative", "positive") for kind in kinds[control == sign].unique()]
    order += [kind for kind in kinds.value_counts().index if kind not in order and kind != UNKNOWN]
    chosen = [(kind, fields[kinds == kind]) for kind in list(dict.fromkeys(order))[:MOST_FIELDS]]
    middle = [(kind, own.iloc[len(own) // 2]) for kind, own in chosen]
    return [(f"{kind} ({_place(row)})", row) for kind, row in middle]


def _place(row: pd.Series) -> str:
    return f"{row[PLATE]} {row[WELL]}"


def _scaled(fields: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Scale all fields by the same percentiles per channel."""
    some = [pixels[:, ::4, ::4].reshape(len(pixels), -1) for pixels in fields.values()]
    ends = np.percentile(np.concatenate(some, axis=1), (1, 99.95), axis=1)
    low, high = ends.astype(np.float32)[..., None, None]
    span = np.maximum(high - low, 1e-9)
    return {title: np.clip((one - low) / span, 0, 1) ** GAMMA for title, one in fields.items()}
