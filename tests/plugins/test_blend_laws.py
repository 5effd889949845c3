"""What must hold for every strategy, whatever the parents, the share and the seed."""

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor

from kinblend import Blend, Blender, Context, LatentSpace
from kinblend.backbone import make_plugin
from kinblend_plugins.blenders.network import AdaptiveDimensionWeightModel

LAYERS = st.sampled_from([4, 10, 18])
SHARE = st.floats(0, 1, width=32)
SEED = st.integers(0, 2**63 - 1)
LAW = settings(max_examples=25, deadline=None)


@pytest.fixture(scope="session")
def network_files(tmp_path_factory: pytest.TempPathFactory) -> dict[int, str]:
    """An untrained weight network for each number of layers."""
    from safetensors.torch import save_file

    files = {}
    for layers in (4, 10, 18):
        torch.manual_seed(layers)
        network = AdaptiveDimensionWeightModel(layers, 512)
        files[layers] = str(tmp_path_factory.mktemp("networks") / f"{layers}.safetensors")
        save_file(network.state_dict(), files[layers])
    return files


@st.composite
def parents(draw: st.DrawFn) -> tuple[Tensor, Tensor]:
    """Two codes, from nearly nothing to far outside of any distribution; at times the same twice."""
    layers, seed = draw(LAYERS), draw(st.integers(0, 2**31))
    father, mother = torch.randn(2, layers, 512, generator=torch.Generator().manual_seed(seed))
    scale = 10.0 ** draw(st.integers(-6, 4))
    return father * scale, father * scale if draw(st.booleans()) and draw(st.booleans()) else mother * scale


# name → the options under which `share` is the father's share of everything
STRATEGIES = {
    "average": lambda share: {"share": share},
    "dimension": lambda share: {"default": share},
    "layer": lambda share: {"shares": {"coarse": share, "middle": share, "fine": share}},
    "mask": lambda share: {"share": share, "by": "element"},
    "learned": lambda share: {"share": share, "symmetric": True},
    "slerp": lambda share: {"share": share},
}
LEARNED: dict[int, Blender] = {}


def blend(name: str, father: Tensor, mother: Tensor, share: float, seed: int, network_files: dict[int, str]) -> Blend:
    layers = father.shape[0]
    context = Context(LatentSpace("laws", layers, 512, "0" * 64))
    options = STRATEGIES[name](share)
    if name == "learned":  # read once: only the share differs
        if layers not in LEARNED:
            LEARNED[layers] = make_plugin("blender", name, context, {"weights": network_files[layers]})
        LEARNED[layers].options = LEARNED[layers].options.model_copy(update=options)
        return LEARNED[layers].blend(father, mother, seed)
    return make_plugin("blender", name, context, options).blend(father, mother, seed)


@pytest.mark.parametrize("name", STRATEGIES)
@LAW
@given(pair=parents(), seed=SEED)
def test_share_one_is_the_father_and_share_zero_the_mother(name, pair, seed, network_files) -> None:
    father, mother = pair
    assert torch.equal(blend(name, father, mother, 1.0, seed, network_files).code, father)
    assert torch.equal(blend(name, father, mother, 0.0, seed, network_files).code, mother)


@pytest.mark.parametrize("name", STRATEGIES)
@LAW
@given(pair=parents(), share=SHARE, seed=SEED)
def test_the_same_seed_gives_the_same_bytes(name, pair, share, seed, network_files) -> None:
    first, second = (blend(name, *pair, share, seed, network_files) for _ in range(2))
    assert first.code.numpy().tobytes() == second.code.numpy().tobytes()


@pytest.mark.parametrize("name", [name for name in STRATEGIES if name != "slerp"])
@LAW
@given(pair=parents(), share=SHARE, seed=SEED)
def test_a_weighted_sum_stays_between_the_parents(name, pair, share, seed, network_files) -> None:
    father, mother = pair
    child = blend(name, father, mother, share, seed, network_files).code
    assert bool((child >= torch.minimum(father, mother)).all())
    assert bool((child <= torch.maximum(father, mother)).all())


@pytest.mark.parametrize("name", STRATEGIES)
@LAW
@given(pair=parents(), share=SHARE, seed=SEED)
def test_swapping_the_parents_mirrors(name, pair, share, seed, network_files) -> None:
    """With the parents swapped and the share mirrored: the mirrored map and the same child.

    A drawn mask is not mirrored by its share; it comes from the seed alone, whoever the parents are.
    """
    father, mother = pair
    assume(name != "learned" or 1e-3 < share < 1 - 1e-3)
    one = blend(name, father, mother, share, seed, network_files)
    size = float(torch.maximum(father.abs(), mother.abs()).max())
    if name == "mask":
        other = blend(name, mother, father, share, seed, network_files)
        assert torch.equal(one.weights.values, other.weights.values)
        return
    other = blend(name, mother, father, 1 - share, seed, network_files)
    torch.testing.assert_close(one.code, other.code, atol=2e-5 * size, rtol=0)
    if one.weights is not None:
        torch.testing.assert_close(one.weights.values, other.weights.mirrored().values, atol=1e-5, rtol=0)
