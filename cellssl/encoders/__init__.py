"""Encoders: networks from images of any number of channels to features, untrained or pretrained."""

from cellssl.encoders.branched import BranchedEncoder
from cellssl.encoders.catalogue import build, names, rebuild, smallest_image
from cellssl.encoders.encoder import Encoder, Stem
from cellssl.encoders.pretrained import Mapping, PretrainedEncoder, load_pretrained
from cellssl.encoders.weights import published_weights, read_weights, weights_at_hand

__all__ = [
    "BranchedEncoder",
    "Encoder",
    "Mapping",
    "PretrainedEncoder",
    "Stem",
    "build",
    "load_pretrained",
    "names",
    "published_weights",
    "read_weights",
    "rebuild",
    "smallest_image",
    "weights_at_hand",
]
