"""The editor. Source: Shen et al., InterFaceGAN, 2020 (sections 2.2 and 2.3, conditional manipulation)."""

from safetensors import SafetensorError, safe_open

from kinblend import Editor
from kinblend.errors import PackError, UsageError
from kinblend_plugins.interfacegan.directions import read_direction, to_code_shape


class DirectionEditor(Editor):
    """w + strength · direction, for several attributes at once.

    Directions come from the options and, for names not given there, from the pack's `directions.safetensors`.
    """

    def __init__(self, options, context):
        super().__init__(options, context)
        self._directions = {name: read_direction(path, name, self.space) for name, path in options.directions.items()}
        self._notes = {name: f"from {path.name}" for name, path in options.directions.items()}
        packed = context.files.get("directions.safetensors")
        if packed is not None:
            self._add_packed(packed)
        for name in options.keep:
            self._known(name)
        first, last = options.layers or (0, self.space.layers - 1)
        if not 0 <= first <= last < self.space.layers:
            raise UsageError(f"layers {first}-{last}: use 0 to {self.space.layers - 1}")
        self._layers = slice(first, last + 1)

    def attributes(self):
        return dict(self._notes)

    def edit(self, codes, strengths):
        edited = codes.clone()
        for name, strength in strengths.items():
            edited[:, self._layers] += strength * self._conditional(name).to(codes)
        return edited

    def _conditional(self, name):
        """The direction in the layers that are edited, without what it shares there with the attributes to keep."""
        direction = self._known(name)[self._layers].clone()
        basis = []
        for other in self.options.keep:
            if other == name:
                continue
            kept = self._known(other)[self._layers].clone()
            for axis in basis:
                kept -= (kept * axis).sum() * axis
            if kept.norm() > 1e-6:
                basis.append(kept / kept.norm())
        for axis in basis:
            direction -= (direction * axis).sum() * axis
        return direction

    def _known(self, name):
        try:
            return self._directions[name]
        except KeyError:
            names = ", ".join(self._directions) or "none; give --set editor.directions"
            raise UsageError(
                f"there is no direction '{name}' for {self.space.backbone}; there are: {names}"
            ) from None

    def _add_packed(self, path):
        try:
            with safe_open(str(path), framework="pt") as file:
                notes = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (OSError, SafetensorError) as error:
            raise PackError(f"{path} is no file of directions: {error}") from error
        for name, tensor in tensors.items():
            if name not in self._directions:
                self._directions[name] = to_code_shape(tensor, self.space, f"direction '{name}' ({path.name})")
                self._notes[name] = notes.get(name, "")
