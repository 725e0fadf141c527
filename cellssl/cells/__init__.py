"""Fields of a plate → nuclei and cells → crops on disk."""

import lazy_loader

# Names are in __init__.pyi, loaded at first use: the workers that cut fields need none of what
# writes crop files.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
