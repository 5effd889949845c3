"""One module's stay on the device: its tensors come, in a precision, and go home as they were."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kinblend.device.memory import DeviceMemory

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

MIN_RELEASE_BYTES = 16 << 20  # bytes of a module whose mapped weights are given back after each lease


@dataclass(frozen=True)
class Slot:
    """Where a tensor hangs, the tensor that belongs there, and the dtype it has on the device."""

    owner: nn.Module
    name: str
    original: Tensor
    dtype: torch.dtype

    @property
    def size(self) -> int:
        """Bytes on the device."""
        return self.original.numel() * self.dtype.itemsize

    @property
    def tensor(self) -> Tensor:
        """What hangs there now."""
        held = self.owner._parameters.get(self.name)
        found = self.owner._buffers[self.name] if held is None else held.data
        assert found is not None
        return found

    def assign(self, tensor: Tensor) -> None:
        """Hang up another tensor; a parameter stays the same parameter."""
        parameter = self.owner._parameters.get(self.name)
        if parameter is None:
            self.owner._buffers[self.name] = tensor
        elif parameter.data.data_ptr() != tensor.data_ptr() or parameter.dtype != tensor.dtype:
            parameter.data = tensor


class Placement:
    """`load`, then `unload`. Several leases may share one placement.

    module: names in `keep_float32`, on any of its modules, that module's own tensors that are not rounded.
    room: the bytes it may take. A module that needs more is loaded in pieces where it can: its `offloadable_blocks`
        are modules that are used only by being called, and each is on the device for the time of its call.
    may_cache_weights: whether its modules may keep there what they make of their weights to be faster. Those that do
        say how much it is (`weight_cache_bytes(device, dtype)`) and let it go (`allow_weight_cache(False)`).
    """

    def __init__(self, module: nn.Module, dtype: torch.dtype, memory: DeviceMemory, room: int | None = None) -> None:
        self.module, self.dtype, self.memory, self.leases = module, dtype, memory, 0
        slots = list(_slots(module, dtype, memory))
        parts: Sequence[nn.Module] = getattr(module, "offloadable_blocks", ())
        in_pieces = room is not None and sum(slot.size for slot in slots) > room and bool(parts)
        self.pieces = [(part, list(_slots(part, dtype, memory))) for part in parts] if in_pieces else []
        away = {(id(slot.owner), slot.name) for _, piece in self.pieces for slot in piece}
        self.slots = [slot for slot in slots if (id(slot.owner), slot.name) not in away]
        self.moved, self.room = 0, room
        self._caching: list[Any] = [part for part in module.modules() if hasattr(part, "weight_cache_bytes")]
        self.may_cache_weights = bool(self._caching) and not in_pieces
        self._hooks: list[Any] = []

    @property
    def size(self) -> int:
        """The most bytes it takes at once on the device."""
        largest = max((sum(slot.size for slot in piece) for _, piece in self.pieces), default=0)
        return (
            sum(slot.size for slot in self.slots)
            + largest
            + (self._weight_cache_bytes() if self.may_cache_weights else 0)
        )

    def load(self) -> None:
        """Bring the tensors; where that fails, all are home again."""
        try:
            self._load_slots(self.slots)
            for caching in self._caching:
                caching.allow_weight_cache(self.may_cache_weights)
            for part, piece in self.pieces:
                self._hooks.append(part.register_forward_pre_hook(self._hook(self._load_slots, piece)))
                self._hooks.append(
                    part.register_forward_hook(self._hook(self._unload_slots, piece), always_call=True)
                )
        except BaseException:
            self.unload()
            raise
        if any(slot.original.dtype != slot.dtype for slot in self.slots):
            self.memory.release([slot.original for slot in self.slots], files=True)

    def unload(self) -> None:
        """Hang up the originals."""
        for hook in self._hooks:
            hook.remove()
        self._hooks.clear()
        for slots in (self.slots, *(piece for _, piece in self.pieces)):
            self._unload_slots(slots)
        for caching in self._caching:
            if self.room is not None:  # without a budget it is kept for the next time
                caching.allow_weight_cache(False)
            caching.allow_weight_cache(True)

    def release(self) -> None:
        """Nobody asks the module for now."""
        if self.size >= MIN_RELEASE_BYTES:
            self.memory.release([slot.tensor for slot in self.slots], files=True)

    def _weight_cache_bytes(self) -> int:
        return sum(part.weight_cache_bytes(self.memory.device.type, self.dtype) for part in self._caching)

    def _load_slots(self, slots: Iterable[Slot]) -> None:
        import torch

        # What is made inside a caller's inference mode could never be differentiated through.
        with torch.inference_mode(False), torch.no_grad():
            for slot in slots:
                there = self.memory.to_device(slot.original, slot.dtype)
                slot.assign(there)
                if there is not slot.original:
                    self.moved += slot.size
                    self.memory.release([slot.original])  # at once: two copies of all weights are never in memory

    def _unload_slots(self, slots: Iterable[Slot]) -> None:
        for slot in slots:
            slot.assign(slot.original)
        self.memory.release([slot.original for slot in slots])

    def _hook(self, step: Callable[[Iterable[Slot]], None], slots: Sequence[Slot]) -> Callable[..., None]:
        return lambda *_: step(slots)


def _slots(module: nn.Module, dtype: torch.dtype, memory: DeviceMemory) -> Iterable[Slot]:
    """Every parameter, once however often it is shared, and every buffer."""
    seen: set[int] = set()
    for part in module.modules():
        kept = getattr(part, "keep_float32", ())
        for name, tensor in (*part._parameters.items(), *part._buffers.items()):
            if tensor is None or id(tensor) in seen:
                continue
            if name in part._parameters:
                seen.add(id(tensor))
            rounded = tensor.is_floating_point() and name not in kept and tensor.dtype != dtype
            home = tensor.data if rounded else memory.pin(tensor.data)
            yield Slot(part, name, home, dtype if rounded else tensor.dtype)
