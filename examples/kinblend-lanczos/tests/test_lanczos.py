from openpeople_faces import FACES

from kinblend.testing import UpscalerContract


class TestLanczos(UpscalerContract):
    name = "lanczos"
    faces = FACES
