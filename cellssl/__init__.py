"""cellssl: from plates of fluorescence images to a map of phenotypes, without labels."""

__version__ = "0.1.0"
