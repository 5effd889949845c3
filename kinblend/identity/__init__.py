"""Who a face looks like: embeddings, and how near two of them are."""

from kinblend.identity.chips import chips
from kinblend.identity.compare import embed_faces, similarity
from kinblend.identity.named import Identity, identity_by_name
from kinblend.identity.network import IdentityNetwork, identity_network

__all__ = [
    "Identity",
    "IdentityNetwork",
    "chips",
    "embed_faces",
    "identity_by_name",
    "identity_network",
    "similarity",
]
