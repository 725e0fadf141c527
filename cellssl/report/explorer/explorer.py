"""From an embedding to a page that shows its map and its cells."""

import html
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cellssl.arguments import whole_numbers
from cellssl.crops import Crops
from cellssl.errors import CellsslError, EmbeddingError
from cellssl.files import check_file, make_folder, write_text
from cellssl.phenotypes import choose_label, cluster, read_embedding, usual_label
from cellssl.report.explorer.page import describe_cells, render
from cellssl.report.explorer.pictures import Pictures
from cellssl.report.explorer.server import make_server
from cellssl.sampling import sample_wells
from cellssl.words import counted

if TYPE_CHECKING:
    from anndata import AnnData


_LOG = logging.getLogger(__name__)

MANY = 200_000  # cells; 100,000 were seen to pan at 4 frames a second


@dataclass(eq=False)
class Explorer:
    """A map of cells to look at: in Jupyter, as one HTML file, or served with every crop from disk.

    Made by :func:`explore`. In Jupyter its last line shows it; the notebook then holds the whole page.
    """

    cells: "AnnData"
    pictures: Pictures | None
    colour: str
    title: str
    notes: tuple[str, ...]
    megabytes: float
    progress: bool

    def __repr__(self) -> str:
        return f"Explorer({self.title}, {counted(self.cells.n_obs, 'cell')})"

    def _repr_html_(self) -> str:
        """Show the page in a notebook, in a frame of its own."""
        page = html.escape(self.html, quote=True)
        return f'<iframe srcdoc="{page}" style="width: 100%; height: 48rem; border: 0"></iframe>'

    @cached_property
    def html(self) -> str:
        """The page with all that it needs; pictures up to so many megabytes as :func:`explore` was given."""
        if self.pictures is None:
            return self._render()
        chosen = self.pictures.choose(self.megabytes)
        pictured = np.zeros(self.cells.n_obs, bool)
        pictured[chosen] = True
        return self._render(pictured, self.pictures.as_text(chosen, progress=self.progress))

    def _render(
        self, pictured: np.ndarray | None = None, texts: list[str | None] | None = None
    ) -> str:
        """Write the page; cells that are `pictured` without texts get their pictures from a server."""
        crops, notes = None, [counted(self.cells.n_obs, "cell") + ".", *self.notes]
        if self.pictures is not None and pictured is not None:
            crops = self.pictures.describe(pictured, served=texts is None)
            notes += [_picture_note(pictured, self.pictures.there), self.pictures.brightness]
        points = np.asarray(self.cells.obsm["X_umap"], np.float32)
        data = describe_cells(self.cells.obs, points, colour=self.colour, crops=crops)
        return render(data, title=self.title, note=" ".join(notes), pictures=texts)

    def save(self, out: str | Path) -> Path:
        """Write the page, whole or not at all.

        Raises
        ------
        CellsslError
            When it cannot be written, or its name does not end in .html.
        """
        out = Path(out)
        _check_page(out)
        make_folder(out.absolute().parent)
        write_text(self.html, out)
        return out

    def serve(self, *, port: int = 0, ready: Callable[[str], object] = print) -> None:
        """Answer a browser on this machine until interrupted (Ctrl-C); crops are read from disk.

        Parameters
        ----------
        port
            0 takes a free one.
        ready
            Called with the address to open.

        Raises
        ------
        CellsslError
            When there are no crops to serve, or the port is taken.
        """
        pictures = self.pictures
        if pictures is None:
            raise CellsslError(
                "without crops there is nothing to serve: give crops, or save the page"
            )
        page = self._render(pictures.there)

        def picture(cell: int) -> bytes | None:
            known = cell < len(pictures.there) and pictures.there[cell]
            return pictures.encode(np.array([cell]))[0] if known else None

        server, address = make_server(page, picture, port=port)
        with server:
            ready(address)
            try:
                server.serve_forever()
            except KeyboardInterrupt:
                _LOG.info("stopped")


@whole_numbers(sample=1)
def explore(
    embedding: "AnnData | str | Path",
    crops: Crops | str | Path | None = None,
    *,
    out: str | Path | None = None,
    colour: str | None = None,
    title: str | None = None,
    channels: Mapping[str, str] | None = None,
    sample: int | None = None,
    megabytes: float = 60,
    progress: bool = True,
) -> Explorer:
    """Make a page on which the cells of an embedding are looked at.

    The map is ``obsm["X_umap"]``; where there is none it is made as :func:`cellssl.phenotypes.cluster` makes it. The
    page colours cells by any column, filters them, shows the crop of a cell, and of those drawn around on the map a
    gallery, a table of what is frequent among them, and a CSV.

    Parameters
    ----------
    embedding
        AnnData, or a file as :func:`cellssl.evaluate` reads it.
    crops
        The crop file whose cells are shown, matched by their names; without it there are no pictures.
    out
        Where the page is written (.html); it is not when left out.
    colour
        The column that colours the cells first, with or without ``Metadata_``; a usual label when left out.
    title
        What stands above the map; the embedding's name when left out.
    channels
        Channel → colour, e.g. ``{"DNA": "blue"}``.
    sample
        Only so many cells, evenly over the wells.
    megabytes
        What pictures may take of the page; beyond, only a sample, evenly over the wells, carries them. In a notebook,
        which keeps the page, 10 are plenty.
    progress
        Whether a progress bar is drawn.

    Returns
    -------
    Explorer
        Shown by Jupyter; ``save(path)`` writes the page, ``serve()`` shows every crop of a large file.

    Raises
    ------
    CellsslError
        When something cannot be read, or does not fit: with what to mend.

    Examples
    --------
    >>> page = cellssl.explore("embedding.h5ad", "crops.h5ad", colour="MOA")  # doctest: +SKIP
    >>> page.save("explorer.html")  # doctest: +SKIP
    """
    if channels and crops is None:
        raise CellsslError("colours of channels need the crops: give the crop file, too")
    if megabytes <= 0:
        raise CellsslError(f"pictures need some room: got {megabytes} megabytes")
    if out is not None:
        _check_page(Path(out))
    cells, notes = _lay_out(embedding, sample, progress=progress)
    colour = _choose_colour(cells, colour)
    pictures = None
    if crops is not None:
        pictures = Pictures(cells, Crops.open(crops), colours=channels)
    explorer = Explorer(
        cells,
        pictures,
        colour=colour,
        title=title or str(cells.uns.get("cellssl", {}).get("name", "Map of cells")),
        notes=notes,
        megabytes=megabytes,
        progress=progress,
    )
    if out is not None:
        explorer.save(out)
    return explorer


def _check_page(out: Path) -> None:
    """Make sure that a page can be called so."""
    if out.suffix != ".html":
        raise CellsslError(f"the page is an HTML file: got {out}, wanted a name ending in .html")
    check_file(out)


def _lay_out(
    embedding: "AnnData | str | Path", sample: int | None, *, progress: bool
) -> tuple["AnnData", tuple[str, ...]]:
    """Read the cells, draw the sample, and see to the map; say what was done."""
    cells = read_embedding(embedding)
    notes = []
    if not cells.obs_names.is_unique:
        raise EmbeddingError("some cells have the same name: make obs_names unique")
    if sample is not None and sample < cells.n_obs:
        notes.append(f"A sample of {cells.n_obs:,}, drawn evenly over the wells.")
        cells = cells[sample_wells(cells.obs, sample)].copy()
    if cells.n_obs > MANY:
        _LOG.warning(
            "a browser draws %s slowly, and their page takes some 100 MB a million: `cellssl explore "
            "--sample %d` shows so many, evenly over the wells",
            counted(cells.n_obs, "cell"),
            MANY,
        )
    if "X_umap" in cells.obsm:
        notes.append("Map: the UMAP that the embedding holds.")
    else:
        _LOG.info("making the map of %d cells", cells.n_obs)
        features, own = cells.n_vars, cells.obs
        known = "leiden" in own  # no other resolution is sought where it would not be shown
        cells = cluster(cells, resolution=1.0 if known else None, progress=progress)
        cells.obs = cells.obs.assign(
            **{name: own[name] for name in ("leiden", "kmeans") if name in own}
        )
        notes.append(f"Map: UMAP of its {features} features, standardised (seed 0).")
    points = np.asarray(cells.obsm["X_umap"])
    if points.ndim != 2 or points.shape[1] < 2 or not np.isfinite(points).all():
        raise EmbeddingError(
            f"obsm['X_umap'] of shape {points.shape} is no map: wanted (N, 2) finite numbers; "
            "remove it to have it made"
        )
    notes.append("Neighbours are alike; distances between islands mean little.")
    return cells, tuple(notes)


def _choose_colour(cells: "AnnData", wanted: str | None) -> str:
    """Find the first colour: what was asked for, a usual label, clusters, or the first column."""
    if wanted is not None:
        return str(choose_label(cells.obs, wanted))
    if not len(cells.obs.columns):
        raise EmbeddingError("the cells have no column to be coloured by: obs is empty")
    clusters = next((name for name in ("leiden", "kmeans") if name in cells.obs), None)
    return usual_label(cells.obs) or clusters or str(cells.obs.columns[0])


def _picture_note(pictured: np.ndarray, there: np.ndarray) -> str:
    """Say which cells have a picture, and what the pictures are."""
    count, total = int(pictured.sum()), len(there)
    if count == total:
        said = "Every cell has its picture"
    elif count == int(there.sum()):
        said = f"{count:,} of the cells have their picture, the others are not in the crop file"
    else:
        said = (
            f"{count:,} of the cells, drawn evenly over the wells, carry their picture; "
            "`cellssl explore --serve` shows every one"
        )
    return f"{said} (JPEG: for looking at, not for measuring)."
