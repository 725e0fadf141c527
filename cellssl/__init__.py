"""cellssl: from plates of fluorescence images to a map of phenotypes, without labels.

The functions behind the commands, most by the command's name:

>>> import cellssl
>>> cellssl.crop(cellssl.index("plate/", metadata="wells.csv"), "crops/")  # doctest: +SKIP
>>> cellssl.report.gallery("crops/crops.h5ad", by="MOA")  # doctest: +SKIP
>>> run = cellssl.train("crops/crops.h5ad", "bbbc021-expert", "run/")  # doctest: +SKIP
>>> cells = cellssl.cluster(cellssl.embed("crops/crops.h5ad", run))  # doctest: +SKIP
>>> cellssl.report.umap_figure(cells, "MOA")  # doctest: +SKIP
>>> scores = cellssl.evaluate(cells, label="MOA")  # doctest: +SKIP

Figures are in `cellssl.report`, protocols in `cellssl.protocols`, studies in `cellssl.studies`, simulated plates in
`cellssl.plates`. What messages call ``--label MOA`` is ``label="MOA"`` here, and ``--set training.epochs=50`` is
``changes={"training.epochs": 50}``.
"""

from cellssl.lazy import at_first_use

__version__ = "0.1.0"

# Loaded at first use, so that `import cellssl` and `cellssl --help` do not wait for torch or scanpy.
_homes = {
    "Crops": "crops",
    "aggregate_profiles": "phenotypes",
    "audit": "studies",
    "ceiling": "studies",
    "check_crops": "cells",
    "check_protocol": "studies",
    "cluster": "phenotypes",
    "combine": "phenotypes",
    "compare": "studies",
    "crop": "cells",
    "demo": "pipeline",
    "doctor": "pipeline",
    "embed": "embedding",
    "evaluate": "phenotypes",
    "explore": "report",
    "export_crops": "crops",
    "export_embedding": "phenotypes",
    "get_data": "datasets",
    "import_crops": "crops",
    "import_features": "crops",
    "import_images": "datasets",
    "index": "plates",
    "invariances": "studies",
    "join_crops": "crops",
    "label_crops": "crops",
    "normalise_embedding": "phenotypes",
    "preview": "report",
    "read_embedding": "phenotypes",
    "run": "pipeline",
    "similarity": "phenotypes",
    "suggest": "studies",
    "train": "studies",
    "verify_data": "datasets",
}

# After `import cellssl` alone, too: `cellssl.report.gallery(…)`.
_rooms = (
    *("augment", "cells", "crops", "datasets", "embedding", "encoders", "methods", "phenotypes"),
    *("pipeline", "plates", "protocols", "report", "scores", "studies", "training"),
)

__all__ = [*_homes, "__version__"]  # noqa: PLE0604 - names of functions


__getattr__ = at_first_use(__name__, _homes, rooms=_rooms)


def __dir__() -> list[str]:
    return sorted([*__all__, *_rooms])
