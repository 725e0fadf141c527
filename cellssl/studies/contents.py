"""What clusters hold: which properties of the pictures they follow, and what each of them shows."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellssl.cells import describe_property, measure_appearance
from cellssl.columns import bare_name
from cellssl.crops import Crops, FittedScaling, fit_scaling
from cellssl.errors import StudyError
from cellssl.phenotypes import Measurement, Measurements, text_values
from cellssl.protocols import Protocol, choose_channels
from cellssl.report import GalleryRow
from cellssl.scores import ami, explained_variance, property_ami
from cellssl.studies.sight import scaling_rule
from cellssl.words import counted, listed

MOST_CELLS = 3000  # measured, a few milliseconds each: a share of variance needs no more
PICTURES = 10  # of each cluster
STANDS_OUT = 0.5  # standard deviations from the mean of all, from which on a cluster is called so
_BLOCK = 512


@dataclass(frozen=True)
class Contents:
    """What the k-means clusters of some embeddings hold.

    Attributes
    ----------
    explained : DataFrame
        embedding, property (the label first, the plate where there are several), ami, ami_low,
        ami_high, explained, explained_low, explained_high (the mean over training seeds, and the
        lowest and highest of them), n, replicates. Of the first start of k-means: the scores' AMI is
        the mean of several starts.
    clusters : DataFrame
        Of each embedding's first seed: embedding, seed, cluster, n, words, commonest, share, and a
        column each property, in standard deviations from the mean of all cells.
    rows : mapping
        Embedding → rows of a gallery, a cluster each: members at random.
    channels : tuple of str
        Of the pictures.
    missing : tuple of str
        Embeddings that were asked for and are not there.
    """

    explained: pd.DataFrame
    clusters: pd.DataFrame
    rows: Mapping[str, list[GalleryRow]]
    channels: tuple[str, ...]
    missing: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Contents({counted(len(self.clusters), 'cluster')} of {listed(list(self.rows), most=6)})"


@dataclass(frozen=True)
class _Seen:
    """The scored cells as a reader sees them."""

    crops: Crops
    scaling: FittedScaling
    size: int  # of the pictures, in pixels
    channels: tuple[str, ...]
    numbers: NDArray[np.int64]  # of the cells in the crop file
    labels: NDArray[np.str_]
    plates: NDArray[np.str_]
    measured: NDArray[np.int64]  # places of those that are measured

    @cached_property
    def properties(self) -> pd.DataFrame:
        """Measure what the pictures show: a row for each measured cell."""
        blocks = [self.measured[at : at + _BLOCK] for at in range(0, len(self.measured), _BLOCK)]
        tables = [
            measure_appearance(self.images(block), self.channels, masks=self.masks(block))
            for block in blocks
        ]
        return pd.concat(tables, ignore_index=True)

    def images(self, places: NDArray[np.int64]) -> np.ndarray:
        """Give pictures (n, C, size, size), scaled and cut as the encoders saw them."""
        rows = self.numbers[places]
        return _view(self.scaling.read(self.crops, rows, channels=self.channels), self.size)

    def masks(self, places: NDArray[np.int64]) -> dict[str, np.ndarray]:
        """Give the stored masks by name, cut as the pictures are; empty where there are none."""
        masks = self.crops.masks(self.numbers[places])
        if masks is None:
            return {}
        cut = _view(masks, self.size)
        return {name: cut[:, layer] for layer, name in enumerate(self.crops.mask_names)}


def cluster_contents(
    measured: Measurements,
    crops: Crops,
    protocol: Protocol,
    wanted: Sequence[str],
) -> Contents:
    """Say what the clusters hold that were scored: up to 3,000 cells are measured, and ten of each cluster shown.

    Parameters
    ----------
    measured : Measurements
        Scores of embeddings of these crops.
    crops : Crops
        Where the pictures are.
    protocol : Protocol
        Its channels, scaling and view size are the pictures'.
    wanted : sequence of str
        Embeddings by name; ``resnet50`` names ``resnet50 (96 px)`` too.

    Raises
    ------
    StudyError
        When scored cells are not among the crops.
    """
    found = {name: _entries(measured, name) for name in wanted}
    there = {entries[0].embedding: entries for entries in found.values() if entries}
    seen = _look(measured, crops, protocol)
    explained = [
        row for name, own in there.items() for row in _explained(name, own, seen, measured)
    ]
    clusters, rows = [], {}
    for name, entries in there.items():
        table = _clusters(entries[0], seen)
        clusters.append(table)
        rows[name] = list(_gallery(entries[0], table, seen))
    return Contents(
        pd.DataFrame(explained),
        pd.concat(clusters, ignore_index=True) if clusters else pd.DataFrame(),
        rows,
        seen.channels,
        tuple(name for name, entries in found.items() if not entries),
    )


def _entries(measured: Measurements, name: str) -> list[Measurement]:
    """Find the clusterings of an embedding, one a training seed."""
    there = [one for one in measured.entries if one.subset == "all" and one.clusters is not None]
    named = [one for one in there if one.embedding == name]
    sized = [one for one in there if one.embedding.startswith(f"{name} (")]
    found = named or sized
    # Of one name that several embeddings begin with the first is meant: they are no repetitions.
    return [one for one in found if one.embedding == found[0].embedding]


def _look(measured: Measurements, crops: Crops, protocol: Protocol) -> _Seen:
    """Find the scored cells, and draw those that are measured."""
    numbers = crops.obs.index.astype(str).get_indexer(pd.Index(measured.cells))
    if (numbers < 0).any():
        raise StudyError(
            f"{int((numbers < 0).sum())} of {len(numbers)} scored cells are not in {crops.path}: give the "
            "crop file that the embeddings were made of."
        )
    count = min(MOST_CELLS, len(numbers))
    places = np.sort(np.random.default_rng(0).choice(len(numbers), count, replace=False))
    return _Seen(
        crops,
        fit_scaling(crops, scaling_rule(protocol)),
        protocol.crop.size,
        choose_channels(protocol, crops.channels),
        numbers,
        text_values(crops.obs[measured.label], measured.label)[numbers],
        crops.plates[numbers],
        places,
    )


def _view(images: np.ndarray, size: int) -> np.ndarray:
    """Cut the middle out of pictures (N, C, H, W)."""
    top = (images.shape[-1] - size) // 2
    return images[..., top : top + size, top : top + size]


def _explained(
    name: str, entries: Sequence[Measurement], seen: _Seen, measured: Measurements
) -> Iterator[dict[str, object]]:
    """Set the label, the plate and each property against the clusters."""
    clusters = [one.clusters for one in entries if one.clusters is not None]
    told = {bare_name(measured.label): seen.labels}
    if len(np.unique(seen.plates)) > 1:
        told["Plate"] = seen.plates
    for what, values in told.items():
        agreement = [ami(values, found) for found in clusters]
        yield _row(name, what, agreement, [], len(values))
    for prop in seen.properties:
        numbers = seen.properties[prop].to_numpy()
        known = np.isfinite(numbers)
        own = [found[seen.measured][known] for found in clusters]
        yield _row(
            name,
            str(prop),
            [property_ami(numbers[known], found) for found in own],
            [explained_variance(numbers[known], found) for found in own],
            int(known.sum()),
        )


def _row(
    name: str, what: str, agreement: Sequence[float], shares: Sequence[float], n: int
) -> dict[str, object]:
    row: dict[str, object] = {"embedding": name, "property": what}
    for measure, values in {"ami": agreement, "explained": shares}.items():
        found = list(values) or [np.nan]
        row |= {
            measure: np.mean(found),
            f"{measure}_low": min(found),
            f"{measure}_high": max(found),
        }
    return {**row, "n": n, "replicates": len(agreement)}


def _clusters(entry: Measurement, seen: _Seen) -> pd.DataFrame:
    """Describe each cluster: in what it stands out, and its commonest label."""
    clusters = np.asarray(entry.clusters)
    spread = seen.properties.std(ddof=0).replace(0, np.nan)
    deviations = (seen.properties - seen.properties.mean()) / spread
    means = deviations.groupby(clusters[seen.measured]).mean().reindex(np.unique(clusters))
    rows = []
    for cluster, own in means.iterrows():
        inside = clusters == cluster
        names, counts = np.unique(seen.labels[inside], return_counts=True)
        rows.append(
            {
                "embedding": entry.embedding,
                "seed": entry.seed,
                "cluster": cluster,
                "n": int(inside.sum()),
                "words": ", ".join(_words(own)),
                "commonest": names[counts.argmax()],
                "share": counts.max() / inside.sum(),
                **own.round(3),
            }
        )
    return pd.DataFrame(rows)


def _words(deviations: "pd.Series[float]", most: int = 2) -> list[str]:
    """Name what stands out most, one property of a kind, with how many standard deviations."""
    words: dict[str, str] = {}
    for name in deviations.abs().sort_values(ascending=False, kind="stable").index:
        value = float(deviations[name])
        kind = str(name).rpartition(" ")[2]
        if abs(value) >= STANDS_OUT and kind not in words:
            words[kind] = f"{describe_property(str(name), high=value > 0)} {value:+.1f}"
    return list(words.values())[:most]


def _gallery(entry: Measurement, table: pd.DataFrame, seen: _Seen) -> Iterator[GalleryRow]:
    """Show members of each cluster, drawn at random."""
    for _, row in table.iterrows():
        inside = np.flatnonzero(entry.clusters == row["cluster"])
        drawn = np.random.default_rng(0).permutation(inside)[:PICTURES]
        words = [word.replace("-", "−") for word in str(row["words"]).split(", ") if word]
        commonest = f"{row['commonest']}: {row['share']:.0%} of {row['n']}"
        title = f"cluster {row['cluster']}"
        yield GalleryRow(title, (commonest, *words), seen.images(drawn))
