"""Two aligned faces of synthetic people, from the package openpeople."""

from kinblend.cli.demo import FATHER, MOTHER, example
from kinblend.faces import align, find_face
from kinblend.imaging import read_image


def _face(person):
    image = read_image(example(person))
    return align(image, find_face(image).landmarks, 256)


FACES = [_face(FATHER), _face(MOTHER)]
