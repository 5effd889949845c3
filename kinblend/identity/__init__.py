"""Who a face looks like: embeddings, and how near two of them are.

Identity networks are plugins (`kinblend.face_interfaces.IdentityNetwork`), asked for here by name; the built-in ones
are in `kinblend_plugins/identity_networks`. `dlib_resnet` is the torch network that losses, encoders and a plugin
share.
"""

from kinblend.identity.crops import SIDE, chips, cut
from kinblend.identity.dlib_resnet import CHIP, DlibResNet, identity_network
from kinblend.identity.placed import embedder_on
from kinblend.identity.registry import check_identity, identity_names, load_identity
from kinblend.identity.similarity import embed_faces, face_cosines, similarity

__all__ = [
    "CHIP",
    "SIDE",
    "DlibResNet",
    "check_identity",
    "chips",
    "cut",
    "embed_faces",
    "embedder_on",
    "face_cosines",
    "identity_names",
    "identity_network",
    "load_identity",
    "similarity",
]
