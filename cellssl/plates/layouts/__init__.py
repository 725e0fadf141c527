"""Layouts: how a microscope, or a data set, names the files of a plate.

A layout is one small module here: a `Layout` with a `name`, `recognise` and `find`. Modules are found by
themselves, so that a new one is a new file. What several have in common: `naming` (file names), `markup` (XML),
`listed` (tables of images). For names that none of them knows `proposal` finds a pattern.
"""

import importlib
import pkgutil

from cellssl.plates.layouts.images import Images, look
from cellssl.plates.layouts.layout import Layout, Listing, get, names, recognise
from cellssl.plates.layouts.proposal import propose

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

__all__ = ["Images", "Layout", "Listing", "get", "look", "names", "propose", "recognise"]
