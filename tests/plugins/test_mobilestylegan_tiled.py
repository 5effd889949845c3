"""Pictures made in strips are those of the plain network, and smaller ones those of the heads."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from kinblend import DevicePool
from kinblend.cancellation import cancellable
from kinblend_plugins.mobilestylegan import fit, tiled
from kinblend_plugins.mobilestylegan.generator import Generator, build
from kinblend_plugins.mobilestylegan.heads import Head, narrowed

WIDTHS = [16, 16, 16, 16, 16, 8]  # 4 to 128 px, and pictures of 256 px
ROW = 16 * 64 * 4  # bytes of one at 64 px
HEADS = {64: 3, 128: 5}


class GivenUp(Exception):
    """Nobody waits for the pictures any more."""


@pytest.fixture(scope="module")
def tensors() -> dict[str, Tensor]:
    """A generator's, with random weights whose maps neither vanish nor explode."""
    draw = torch.Generator().manual_seed(0)
    found = {}
    for name, tensor in Generator(WIDTHS, 2, 32).state_dict().items():
        scale = 0.1 if name.endswith(("noise", "bias")) else tensor[:1].numel() ** -0.5
        scale *= 0.2 if name.endswith("modulation.weight") else 1
        found[name] = torch.randn(tensor.shape, generator=draw) * scale + ("modulation.bias" in name)
    return found


@pytest.fixture(scope="module")
def generator(tensors: dict[str, Tensor]) -> Generator:
    return build(tensors | _heads(build(tensors)))


def _heads(generator: Generator) -> dict[str, Tensor]:
    heads = {size: narrowed(generator, start, size).state_dict() for size, start in HEADS.items()}
    return {f"heads.{size}.{name}": tensor for size, head in heads.items() for name, tensor in head.items()}


def _codes(generator: Generator, count: int) -> Tensor:
    return torch.randn(count, generator.layers, generator.dim, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("chunk", [tiled.CHUNK, 10 * ROW, 1], ids=["whole", "10 rows", "least"])
@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("noise", [True, False])
@pytest.mark.parametrize("size", [None, 128, 33])
def test_strips_are_the_plain_picture(
    generator: Generator, chunk: int, threads: int, noise: bool, size: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiled, "CHUNK", chunk)
    codes, before = _codes(generator, 2), torch.get_num_threads()
    plain = generator.layered(codes, noise, size)
    torch.set_num_threads(threads)
    try:
        with torch.inference_mode():
            torch.testing.assert_close(generator(codes, noise, size), plain, atol=1e-4, rtol=0)
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("size", [None, 128])
def test_pictures_are_the_same_alone_and_together(generator: Generator, threads: int, size: int | None) -> None:
    """Whether each thread makes one of them, as with the first ones, or they share its rows, as with the last."""
    codes, before = _codes(generator, 2 * threads + 1), torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with torch.no_grad():
            alone = torch.cat([generator(code[None], size=size) for code in codes])
            assert torch.equal(generator(codes, size=size), alone)
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("threads", [1, 2])
def test_many_pictures_are_given_up_after_one_of_them(generator: Generator, threads: int) -> None:
    asked: list[int] = []

    def check() -> None:
        asked.append(0)
        if len(asked) > 1:
            raise GivenUp

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with pytest.raises(GivenUp), torch.no_grad(), cancellable(check):
            tiled.draw(generator, _codes(generator, 8), noise=True)
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)


def test_gradients_take_the_layers(generator: Generator) -> None:
    codes = _codes(generator, 1).requires_grad_()
    for size in (None, 64):
        (grad,) = torch.autograd.grad(generator(codes, size=size).square().mean(), codes)
        assert grad.isfinite().all() and grad.abs().max() > 0


@pytest.mark.parametrize(("precision", "least"), [("bf16", 30), ("fp16", 45)])
def test_lower_precision_comes_close(generator: Generator, precision: str, least: float) -> None:
    codes = _codes(generator, 2)
    with torch.no_grad():
        exact, pool = generator(codes), DevicePool("cpu", precision=precision)
        with pool.lease(generator):
            rounded = generator(codes.to(generator.constant.dtype))
        pool.release()
    assert rounded.dtype == torch.float32
    assert 20 * torch.log10(4 * exact.std() / (rounded - exact).square().mean().sqrt()) > least


@pytest.mark.parametrize("size", [None, 64])
def test_under_a_small_budget_it_comes_in_pieces_in_half_precision(generator: Generator, size: int | None) -> None:
    codes = _codes(generator, 1)
    weights = sum(tensor.numel() * 2 for tensor in generator.state_dict().values())
    found = []
    for budget in (None, weights * 3 // 4):
        pool = DevicePool("cpu", budget, "bf16")
        with torch.no_grad(), pool.lease(generator):
            found.append(generator(codes.bfloat16(), size=size))
        pool.release()
    torch.testing.assert_close(*found, atol=0.1 * float(found[0].std()), rtol=0)


def test_a_head_makes_the_smallest_picture_that_will_do(generator: Generator) -> None:
    wanted = {None: (256, 5), 4: (64, 3), 64: (64, 3), 65: (128, 5), 128: (128, 5), 129: (256, 5), 512: (256, 5)}
    for size, (made, levels) in wanted.items():
        assert (generator.picture_size(size), generator.level_count(size)) == (made, levels)
        assert generator(_codes(generator, 1), size=size).shape == (1, 3, made, made)


def test_what_a_head_does_not_read_is_not_made(generator: Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    """The map before a level that does not grow has its average band alone; pictures and gradients are the same."""
    heads = [generator.head(64), generator.head(128)]
    read = [[head.channels(number) for number in range(5)] for head in heads if head is not None]
    assert read == [[None, None, 4, 4, None], [None] * 5]
    codes = _codes(generator, 2).requires_grad_()
    weight = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(2))

    def drawn() -> list[Tensor]:
        picture = generator(codes, size=64)
        (slope,) = torch.autograd.grad((picture * weight).sum(), codes)
        with torch.no_grad():
            return [generator(codes, size=64), picture.detach(), slope]

    found = drawn()
    monkeypatch.setattr(Head, "channels", lambda *_: None)
    for one, whole in zip(found, drawn(), strict=True):
        torch.testing.assert_close(one, whole, atol=1e-5 * float(whole.abs().max()), rtol=0)


def test_half_the_size_is_the_picture_averaged(generator: Generator) -> None:
    with torch.no_grad():
        codes = _codes(generator, 2)
        torch.testing.assert_close(generator(codes, size=128), F.avg_pool2d(generator(codes), 2), atol=1e-4, rtol=0)


def test_fitting_brings_a_head_nearer(tensors: dict[str, Tensor], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fit, "HEADS", {64: 4})
    monkeypatch.setattr(fit, "SIDE", 32)
    said: list[str] = []
    plain = build(tensors)
    heads = fit.fit(plain, 20, 60, 0, said.append)
    first, last = (float(line.split()[-2]) for line in (said[1], said[-1]))
    assert last > first + 0.5
    assert build(tensors | heads).level_count(64) == 4


def test_codes_to_learn_from_are_of_one_person_or_two(generator: Generator) -> None:
    codes = fit.sample_codes(generator, 40, 0)
    people = [len(code.unique(dim=0)) for code in codes]
    assert set(people) == {1, 2}
