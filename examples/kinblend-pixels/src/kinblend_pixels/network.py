"""Imported when the network is first used: this module may import torch."""

from torch.nn import functional as F

from kinblend import IdentityNetwork

SIDE = 16  # pixels that are compared, each way
LEFT, TOP, RIGHT, BOTTOM = 0.2, 0.25, 0.8, 0.85  # of an FFHQ crop: the face without hair and background


class Pixels(IdentityNetwork):
    """Eigenfaces without the eigenvectors (Turk and Pentland 1991): what every face network has to beat."""

    embedding_size = SIDE * SIDE
    input_side = 64

    def embed_pictures(self, pictures):
        height, width = pictures.shape[-2:]
        face = pictures[..., int(TOP * height) : int(BOTTOM * height), int(LEFT * width) : int(RIGHT * width)]
        grey = F.adaptive_avg_pool2d(face.mean(1, keepdim=True), SIDE).flatten(1)
        return grey - grey.mean(1, keepdim=True)  # the light of the photograph says little about the person
