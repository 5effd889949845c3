from openpeople_faces import FACES

from kinblend.testing import IdentityNetworkContract


class TestPixels(IdentityNetworkContract):
    name = "pixels"
    faces = FACES
