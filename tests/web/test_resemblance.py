"""What similarities mean: sentences by the scale of the identity network in use."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinblend.face_interfaces import SimilarityScale
from kinblend.identity import load_identity
from kinblend.web.resemblance import sentence, sentences


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.70, "no more alike than strangers"),
        (0.87, "more alike than strangers, less than brothers and sisters"),
        (0.93, "as alike as brothers and sisters, or more"),
        (0.98, "as alike as two photographs of one person"),
    ],
)
def test_a_similarity_is_told_beside_pairs_that_everybody_knows(value: float, words: str) -> None:
    assert sentence(value, SimilarityScale(0.84, 0.90, 0.97)) == words


def test_what_was_not_measured_is_not_told() -> None:
    assert sentence(0.87, SimilarityScale(0.84)) == "more alike than strangers"


@given(st.floats(-1, 1), st.floats(-1, 1), st.floats(-0.5, 0.9), st.floats(0.01, 0.3))
def test_with_a_spread_it_is_a_share_of_pairs_that_grows(
    one: float, other: float, mean: float, spread: float
) -> None:
    scale = SimilarityScale(mean, strangers_deviation=spread)
    shares = []
    for value in sorted((one, other)):
        found = re.fullmatch(r"more alike than (\d+) % of unrelated pairs", sentence(value, scale))
        assert found
        shares.append(int(found[1]))
    assert 1 <= shares[0] <= shares[1] <= 99
    assert sentence(mean, scale) == "more alike than 50 % of unrelated pairs"


def test_without_a_scale_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    network = load_identity()
    monkeypatch.setattr(network, "scale", None)
    assert sentences({"father": 0.9}) is None
    monkeypatch.setattr(network, "scale", SimilarityScale(0.84, 0.90, 0.97))
    assert sentences({"father": 0.5, "mother": 0.98}) == {
        "father": "no more alike than strangers",
        "mother": "as alike as two photographs of one person",
    }
