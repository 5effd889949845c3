"""Several identity networks taken as one, such as "one+other"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kinblend.errors import UsageError
from kinblend.face_interfaces import IdentityNetwork

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

SEPARATOR = "+"
RANGE = 0.15  # of a network that doesn't say what its cosines mean, between strangers and siblings


class JointIdentity(IdentityNetwork):
    """Their unit embeddings side by side, as one unit embedding: its cosine is the weighted mean of their cosines.

    A network counts the more, the nearer its cosines lie together (`IdentityNetwork.scale`, from strangers to
    siblings), so that a step towards a sibling is worth the same by each.

    Args:
        networks: at least two of different names.
    """

    def __init__(self, networks: Sequence[IdentityNetwork]) -> None:
        self.networks = tuple(networks)
        self.name = SEPARATOR.join(network.name for network in networks)
        self.distribution = ", ".join(sorted({network.distribution for network in networks}))
        self.embedding_size = sum(network.embedding_size for network in networks)
        self.input_side = max(network.input_side for network in networks)

    def embed_pictures(self, pictures: Tensor) -> Tensor:
        return self._joined([network.embed_pictures(pictures) for network in self.networks])

    def embed_faces(self, crops: Sequence[Image]) -> Tensor:
        return self._joined([network.embed_faces(crops) for network in self.networks])

    def select(self, embeddings: Tensor, chosen: IdentityNetwork) -> Tensor:
        """What some of the networks see, of joint embeddings [n, E]: those of `chosen`, as it gives them itself.

        Raises `UsageError` for a network that is not among them.
        """
        sizes = [network.embedding_size for network in self.networks]
        names = [network.name for network in self.networks]
        parts = dict(zip(names, embeddings.split(sizes, dim=1), strict=True))
        wanted = chosen.networks if isinstance(chosen, JointIdentity) else (chosen,)
        if missing := [network.name for network in wanted if network.name not in parts]:
            raise UsageError(f"these embeddings are of {' and '.join(names)}, not of {' and '.join(missing)}")
        found = [parts[network.name] for network in wanted]
        return chosen._joined(found) if isinstance(chosen, JointIdentity) else found[0]

    def _joined(self, embeddings: Sequence[Tensor]) -> Tensor:
        import torch
        from torch.nn.functional import normalize

        sharpness = [1 / _range(network) for network in self.networks]
        shares = [one / sum(sharpness) for one in sharpness]
        parts = [share**0.5 * normalize(one, dim=1) for share, one in zip(shares, embeddings, strict=True)]
        return torch.cat(parts, dim=1)


def _range(network: IdentityNetwork) -> float:
    scale = network.scale
    return RANGE if scale is None or scale.siblings is None else scale.siblings - scale.strangers
