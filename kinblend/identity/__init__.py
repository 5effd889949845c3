"""Who a face looks like: embeddings, and how near two of them are."""

from kinblend.identity.crops import chips
from kinblend.identity.dlib_resnet import IdentityNetwork, identity_network
from kinblend.identity.registry import Identity, identity_by_name
from kinblend.identity.similarity import embed_faces, similarity

__all__ = [
    "Identity",
    "IdentityNetwork",
    "chips",
    "embed_faces",
    "identity_by_name",
    "identity_network",
    "similarity",
]
