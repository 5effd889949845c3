"""Who a face looks like: embeddings, and how near two of them are."""

from kinblend.identity.crops import SIDE, chips, cut
from kinblend.identity.dlib_resnet import CHIP, DlibResNet, identity_network
from kinblend.identity.registry import load_identity
from kinblend.identity.similarity import embed_faces, similarity

__all__ = [
    "CHIP",
    "SIDE",
    "DlibResNet",
    "chips",
    "cut",
    "embed_faces",
    "identity_network",
    "load_identity",
    "similarity",
]
