"""Two aligned faces of synthetic people, from the package openpeople."""

from kinblend.faces import align, find_face
from kinblend.imaging import read_image
from kinblend.package_data import example_portrait


def _face(person):
    image = read_image(example_portrait(person))
    return align(image, find_face(image).landmarks, 256)


FACES = [_face("P007"), _face("P004")]
