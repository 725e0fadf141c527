"""The crop AnnData on disk: write, read at random, scale, join, import and export."""

import lazy_loader

# Names are in __init__.pyi, loaded at first use: the workers that cut fields pack masks, and need
# nothing else of a crop file.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
