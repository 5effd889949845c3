from openpeople_faces import FACES

from kinblend.testing import EncoderContract, ProjectorContract


class TestThumbnailEncoder(EncoderContract):
    backbone = "thumbnails"
    faces = FACES


class TestThumbnailProjector(ProjectorContract):
    backbone = "thumbnails"
