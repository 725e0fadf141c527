"""Images of any origin as one indexed source on the device, brought into a crop file, or downloaded."""

import lazy_loader

# Names are in __init__.pyi, loaded at first use: downloads need no torch, and training no HTTP.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
