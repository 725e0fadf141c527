"""Plates: files become a table of fields, a field becomes an array; plates can be simulated."""

import lazy_loader

# Names are in __init__.pyi, loaded at first use: the workers that cut fields need no tables, and who
# reads plates draws none.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
