"""Changes of a generator's weights that belong to one latent.

Pivotal tuning (Roich et al. 2021) and HyperStyle (Alaluf et al. 2022) fit the generator itself to a photograph. Here
such changes are part of the latent's detail, so they travel, blend and are edited with it: for a convolution's weight
[O, I, k, k] a relative change Δ, float16 [O, I, 1, 1] or [O, I, k, k], under "weights." and the weight's name in the
generator. The generator draws with weight · (1 + Δ).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, TypeVar

import torch
from torch import Tensor, nn

from kinblend.errors import InputError
from kinblend.types import Latent

if TYPE_CHECKING:
    from PIL.Image import Image

PREFIX = "weights."  # of their names in a latent's detail
MOST = 4.0  # of a change, either way: beyond it no generator draws anything

Network = TypeVar("Network", bound=nn.Module)


def weight_changes(latent: Latent) -> dict[str, Tensor]:
    """The changes in a latent's detail by the name of the weight, as they are stored."""
    return {name.removeprefix(PREFIX): change for name, change in latent.detail.items() if name.startswith(PREFIX)}


def as_detail(changes: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Changes as a latent's detail holds them: float16 on the CPU, by their names there."""
    return {PREFIX + name: change.detach().half().cpu() for name, change in changes.items()}


def drawn_apart(
    latents: Sequence[Latent],
    together: Callable[[list[Latent]], list[Image]],
    alone: Callable[[Latent], Image],
    is_apart: Callable[[Latent], bool] = lambda latent: bool(weight_changes(latent)),
) -> list[Image]:
    """Pictures of latents, in order. together: draws those that are like each other. alone: one that is apart, by
    default for its changes."""
    apart = [is_apart(latent) for latent in latents]
    plain = [latent for latent, by_itself in zip(latents, apart, strict=True) if not by_itself]
    shared = iter(together(plain) if plain else [])
    return [alone(latent) if by_itself else next(shared) for latent, by_itself in zip(latents, apart, strict=True)]


def check_changes(changes: Mapping[str, Tensor], weights: Mapping[str, Tensor]) -> None:
    """Raise `InputError` unless all changes, which may come from anybody's file, fit these weights."""
    for name, change in changes.items():
        if name not in weights:
            raise InputError(
                f"the latent changes {name}, which is no weight that this generator lets change; encode the "
                "photograph again"
            )
        shape = change_shape(weights[name])
        fits = tuple(change.shape) in (shape, tuple(weights[name].shape))
        if not fits or not change.is_floating_point():
            dtype = str(change.dtype).removeprefix("torch.")
            raise InputError(
                f"the latent's change of {name} must be floating-point {list(shape)}, not {dtype} "
                f"{list(change.shape)}; encode the photograph again"
            )
        if not bool(torch.isfinite(change).all()) or float(change.abs().max()) > MOST:
            raise InputError(
                f"the latent's change of {name} holds NaN or more than ±{MOST:g}; encode the photograph again"
            )


def change_shape(weight: Tensor) -> tuple[int, ...]:
    """Of the change of a weight [O, I, …]: one number for each pair of channels."""
    return (*weight.shape[:2], *(1 for _ in weight.shape[2:]))


def blend_changes(father: Latent, mother: Latent, share: Callable[[str], float]) -> dict[str, Tensor]:
    """Both parents' changes mixed by the father's share for each weight, as detail; a parent without changes has
    none of that weight. Without changes in either: empty.

    share: the father's, in [0, 1], by the weight's name.
    """
    ours, theirs = weight_changes(father), weight_changes(mother)
    mixed = {}
    for name in sorted({*ours, *theirs}):
        parts = [(ours, share(name)), (theirs, 1 - share(name))]
        mixed[name] = sum(
            (changes[name].float() * part for changes, part in parts if name in changes), torch.zeros(())
        )
    return as_detail(mixed)


def multiplied(weight: Tensor, change: Tensor) -> Tensor:
    """weight · (1 + Δ), in the weight's dtype, on its device."""
    return (weight.float() * (1 + change.to(weight.device, torch.float32))).to(weight.dtype)


@contextmanager
def changed(network: Network, changes: Mapping[str, Tensor]) -> Iterator[Network]:
    """The network with some of its weights changed, for drawing; the network itself draws as before.

    changes: by the name of the parameter. The copy that is given shares all other tensors with the network. Where a
    device pool brings its blocks to the device one after the other, it is the network itself, whose weights are
    changed when they arrive.
    """
    if is_in_pieces(network):
        with _changed_on_arrival(network, changes):
            yield network
    else:
        yield _changed_copy(network, changes)


def shared_copy(network: Network) -> Network:
    """A copy of a network's modules whose tensors are the network's own."""
    return _changed_copy(network, {})


def _changed_copy(network: Network, changes: Mapping[str, Tensor]) -> Network:
    parameters = dict(network.named_parameters())
    kept = chain(*(_tensors(module) for module in network.modules()))
    memo: dict[int, object] = {id(tensor): tensor for tensor in kept}
    with torch.no_grad():
        for name, change in changes.items():
            weight = parameters[name]
            memo[id(weight)] = nn.Parameter(multiplied(weight, change), requires_grad=False)
    found = copy.deepcopy(network, memo)
    for owner in {name.rpartition(".")[0] for name in changes}:
        _refresh(found.get_submodule(owner))
    return found


def _tensors(module: nn.Module) -> Iterator[Tensor]:
    for value in (*module._parameters.values(), *module._buffers.values(), *vars(module).values()):
        if isinstance(value, Tensor):
            yield value


def _refresh(module: nn.Module) -> None:
    """Let a module make anew what it keeps of its weights: those that do have a method `freeze`."""
    freeze = getattr(module, "freeze", None)
    if freeze is not None:
        freeze()


def is_in_pieces(network: nn.Module) -> bool:
    """Whether a device pool brings a network's blocks to the device one after the other."""
    return any(block._forward_pre_hooks for block in _blocks(network))


def _blocks(network: nn.Module) -> Sequence[nn.Module]:
    found: Sequence[nn.Module] = getattr(network, "offloadable_blocks", ())
    return found


@contextmanager
def _changed_on_arrival(network: nn.Module, changes: Mapping[str, Tensor]) -> Iterator[None]:
    parameters = dict(network.named_parameters())
    of_block = {id(parameter): block for block in _blocks(network) for parameter in block.parameters()}
    hooks, before = [], []
    try:
        for name, change in changes.items():
            weight, owner = parameters[name], network.get_submodule(name.rpartition(".")[0])
            change_it = partial(_change_in_place, owner, weight, change)
            block = of_block.get(id(weight))
            if block is None:
                before.append((owner, weight, weight.data))
                change_it()
            else:  # the pool hangs up the originals when the block has drawn
                hooks.append(block.register_forward_pre_hook(change_it))
        yield
    finally:
        for hook in hooks:
            hook.remove()
        for owner, weight, data in before:
            weight.data = data
            _refresh(owner)


def _change_in_place(owner: nn.Module, weight: nn.Parameter, change: Tensor, *_: object) -> None:
    weight.data = multiplied(weight.data, change)
    _refresh(owner)
