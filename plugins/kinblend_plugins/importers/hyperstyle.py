"""HyperStyle's checkpoints. Names inside the packs stay as published.

Source of the layout: yuval-alaluf/hyperstyle (`state_dict` with `hypernet.` and `decoder.`, `latent_avg`, `opts`).
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from torch import Tensor

from kinblend.checkpoints import Contents, read_contents
from kinblend.errors import CheckpointError
from kinblend_plugins.importers.contents import ENCODER
from kinblend_plugins.importers.pack import write_pack
from kinblend_plugins.importers.stylegan2 import (
    HYPERNETWORK,
    MAX_PASSES,
    add_average,
    encoder_prefix,
    find_decoder,
    read_generator,
)

W_ENCODER = "faces_w_encoder.pt"  # as it was published


def import_hyperstyle(checkpoint: Path, out: Path, name: str) -> Path | None:
    """HyperStyle's networks with their generator → a pack; None where there is no hypernetwork.

    Its W encoder was published as a file of its own, named in the options (`w_encoder_checkpoint_path`): it is looked
    for beside the checkpoint. Raises `CheckpointError` where it, the generator or the average lacks.
    """
    contents = read_contents(checkpoint)
    prefixes = contents.prefixes(HYPERNETWORK) if contents else []
    if contents is None or not prefixes:
        return None
    prefix = min(prefixes, key=len)
    if str(contents.setting("encoder_type")).endswith("Separable"):
        raise CheckpointError(
            f"{checkpoint} holds a hypernetwork of the type SharedWeightsHyperNetResNetSeparable; kinblend runs "
            "SharedWeightsHyperNetResNet"
        )
    found = find_decoder(contents, prefix.removesuffix("hypernet.") + "encoder.")
    if found is None:
        raise CheckpointError(f"{checkpoint} holds HyperStyle's networks and no generator: decoder.* is missing")
    made = read_generator(contents, *found)
    again = re.compile(r"refinement_blocks\.\d+\.hypernet\.")  # the shared network once more
    own = {key: tensor for key, tensor in contents.below(prefix).items() if not again.match(key)}
    made.parts["encoder"] = {f"hypernet.{key}": tensor for key, tensor in own.items()}
    made.parts["encoder"] |= {f"w_encoder.{key}": tensor for key, tensor in _w_encoder(contents).items()}
    made.encoder, made.source = "hyperstyle", "HyperStyle"
    passes = contents.setting("n_iters_per_batch")
    made.settings |= {"passes": passes} if isinstance(passes, int) and 1 <= passes <= MAX_PASSES else {}
    add_average(contents, made)
    return write_pack(checkpoint, out, name, made)


def _w_encoder(contents: Contents) -> dict[str, Tensor]:
    """The tensors of the W encoder: of the file itself, or of that beside it which the options name."""
    if own := contents.prefixes(f"w_encoder.{ENCODER}"):
        return contents.below(f"{own[0]}w_encoder.")
    said = str(contents.setting("w_encoder_checkpoint_path") or W_ENCODER)
    beside = contents.path.parent / PurePosixPath(said.replace("\\", "/")).name
    other = read_contents(beside) if beside.is_file() else None
    prefix = encoder_prefix(other) if other else None
    if other is None or prefix is None:
        raise CheckpointError(
            f"{contents.path} lacks HyperStyle's W encoder, which was published as a file of its own: put "
            f"{beside.name} beside it"
        )
    return other.below(prefix)
