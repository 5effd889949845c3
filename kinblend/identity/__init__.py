"""Who a face looks like: embeddings, and how near two of them are."""

from kinblend.identity.chips import chips
from kinblend.identity.compare import embed_faces, similarity
from kinblend.identity.network import IdentityNetwork, identity_network

__all__ = ["IdentityNetwork", "chips", "embed_faces", "identity_network", "similarity"]
