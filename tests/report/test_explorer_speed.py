"""How long 100,000 points take to appear, and how fast they move; run with -m bench -s."""

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import cellssl

from .chromium import open_chromium, open_page, wait_for

CELLS = 100_000
# When the points had moved, each time.
MOVED = """
window.moves = [];
map.element.on("plotly_relayouting", () => moves.push(performance.now()));
"""
AGAIN = """
const done = arguments[arguments.length - 1], start = performance.now();
find("colour").value = columns.findIndex((column) => column.label === arguments[0]);
const painted = (then) => requestAnimationFrame(() => requestAnimationFrame(then));
find("colour").onchange().then(() => painted(() => done(performance.now() - start)));
"""


def make_cells(count: int) -> ad.AnnData:
    """Twenty islands, with the columns that a crop file has."""
    rng = np.random.default_rng(0)
    island = rng.integers(0, 20, count)
    obs = pd.DataFrame(
        {
            "Metadata_Plate": [f"Week{i % 10}_{22123 + i % 55}" for i in range(count)],
            "Metadata_Well": [f"{'ABCDEFGH'[i % 8]}{1 + i % 12:02d}" for i in range(count)],
            "Metadata_Site": rng.integers(1, 5, count),
            "Metadata_Compound": [f"compound {i}" for i in rng.integers(0, 113, count)],
            "Metadata_Concentration": rng.choice([0.1, 0.3, 1, 3, 10], count),
            "Metadata_MOA": [f"mechanism {i % 13}" for i in island],
            "Metadata_Center_Y": rng.uniform(0, 1024, count),
            "Metadata_Center_X": rng.uniform(0, 1280, count),
            "Area_Nucleus": rng.uniform(200, 900, count),
            "leiden": pd.Categorical(island.astype(str)),
        },
        index=[f"Week1_22123/A01/1/{i}" for i in range(count)],
    )
    cells = ad.AnnData(np.zeros((count, 1), np.float32), obs=obs)
    middles = rng.normal(scale=8, size=(20, 2))
    cells.obsm["X_umap"] = (middles[island] + rng.normal(size=(count, 2))).astype(np.float32)
    return cells


@pytest.mark.bench
def test_a_hundred_thousand_points(tmp_path):
    path = tmp_path / "explorer.html"
    cellssl.explore(make_cells(CELLS), out=path, progress=False)
    with open_chromium(tmp_path) as chromium:
        from selenium.webdriver.common.action_chains import ActionChains

        open_page(chromium, path.as_uri())
        painted = float(chromium.execute_script("return document.body.dataset.drawn")) / 1000
        chip = chromium.execute_script(
            "const gl = document.createElement('canvas').getContext('webgl');"
            "return gl.getParameter(gl.getExtension('WEBGL_debug_renderer_info').UNMASKED_RENDERER_WEBGL)"
        )
        again = [
            chromium.execute_async_script(AGAIN, name) / 1000 for name in ("Area_Nucleus", "MOA")
        ]
        chromium.execute_script("return Plotly.relayout(map.element, { dragmode: 'pan' })")
        chromium.execute_script(MOVED)
        drag = ActionChains(chromium, duration=16)
        drag.move_to_element(chromium.find_element("id", "map")).click_and_hold()
        for step in range(60):
            drag.move_by_offset(4 if step < 30 else -4, 1)
        drag.release().perform()
        moves = wait_for(lambda: chromium.execute_script("return moves"))
    rate = (len(moves) - 1) / (moves[-1] - moves[0]) * 1000
    print(
        f"\n{CELLS:,} points, {path.stat().st_size / 1e6:.1f} MB, {chip}:\n"
        f"drawn after {painted:.1f} s; other colours {again[0]:.1f} and {again[1]:.1f} s; panned at {rate:.1f} frames/s"
    )
    assert painted < 60
    assert len(moves) > 30
