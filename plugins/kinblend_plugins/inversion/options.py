"""Options of the encoders."""

from __future__ import annotations

from pydantic import Field

from kinblend.inversion_options import TuningOptions, Weights

STEPS = 100  # docs/checkpoints.md has likeness by steps
REFINE = 100  # the lineage optimises each face, whatever its network guesses


class SearchOptions(TuningOptions):
    """What the loss of an optimisation counts."""

    identity: float = Field(Weights.identity, ge=0, le=100, description="what the likeness of the face counts")
    prior: float = Field(
        Weights.decay, ge=0, lt=1, description="how strongly each step pulls back to the average face; 0 for not"
    )

    def weights(self) -> Weights:
        """As `refine` takes them."""
        return Weights(identity=self.identity, decay=self.prior)


class OptimizeOptions(SearchOptions):
    """Options of the encoder `optimize`."""

    steps: int = Field(STEPS, ge=0, le=5000, description="steps of optimisation, at most; 0 leaves the average face")


class ResNetOptions(SearchOptions):
    """Options of the encoder `resnet`."""

    refine: int = Field(REFINE, ge=0, le=5000, description="steps of optimisation after the network; 0 for none")
