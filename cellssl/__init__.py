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

import lazy_loader

__version__ = "0.1.0"

# Names are in __init__.pyi, loaded at first use: `import cellssl` and `cellssl --help` do not wait for
# torch or scanpy.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
