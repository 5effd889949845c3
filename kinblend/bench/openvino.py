"""A generator as an OpenVINO graph, to be measured beside a backbone that was imported from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinblend.errors import InputError, UsageError, summarize
from kinblend.storage.archives import open_archive

if TYPE_CHECKING:
    from torch import Tensor

    from kinblend.backbone import Backbone
    from kinblend.storage.packs import Pack

MOST = 256 * 2**20  # bytes of a graph's weights
SPREAD = 0.5  # of the numbers in w: about that of StyleGAN2's mapping networks


class OpenVINOGraph:
    """What `Reference` asks for, made of a graph that takes w [1, D], the same for all layers.

    model: an .xml file with its .bin beside it, or an archive of both, such as a wheel. It runs in fp32 on as many
    threads as torch may use. Raises `UsageError` where OpenVINO is not installed.
    """

    def __init__(self, model: Path) -> None:
        try:
            import openvino
        except ImportError as error:
            raise UsageError("--against openvino needs OpenVINO: run `pip install openvino`") from error
        self._openvino, self._model = openvino, model

    def codes(self, backbone: Backbone) -> Tensor:
        """One w for all layers, [1, L, D]."""
        import torch

        space = backbone.space
        w = SPREAD * torch.randn(1, 1, space.dim, generator=torch.Generator().manual_seed(0))
        return w.expand(-1, space.layers, -1).contiguous()

    def synthesize(self, pack: Pack) -> Callable[[Tensor], Tensor]:
        """Codes [1, L, D] → pictures [1, 3, R, R]. Raises `UsageError` where no graph makes pictures of that size."""
        import torch

        core, resolution = self._openvino.Core(), pack.description["resolution"]
        settings = {"INFERENCE_NUM_THREADS": torch.get_num_threads(), "INFERENCE_PRECISION_HINT": "f32"}
        request = core.compile_model(self._graph(core, resolution), "CPU", settings).create_infer_request()
        return lambda codes: torch.from_numpy(next(iter(request.infer([codes[:, 0].numpy()]).values())))

    def _graph(self, core: Any, resolution: int) -> Any:
        wanted = [1, 3, resolution, resolution]
        try:
            for graph, weights in self._graphs():
                model = core.read_model(graph, weights)
                shapes = [output.partial_shape for output in model.outputs]
                if shapes and shapes[0].is_static and list(shapes[0].to_shape()) == wanted:
                    return model
        except (OSError, InputError, RuntimeError) as error:
            raise UsageError(f"{self._model} is no graph that OpenVINO reads: {summarize(error)}") from error
        raise UsageError(f"{self._model} has no graph that makes pictures of {resolution} px")

    def _graphs(self) -> Iterator[tuple[bytes, bytes]]:
        if self._model.suffix == ".xml":
            yield self._model.read_bytes(), self._model.with_suffix(".bin").read_bytes()
            return
        with open_archive(self._model) as archive:
            names = set(archive.names())
            for name in sorted(names):
                weights = name.removesuffix(".xml") + ".bin"
                if name.endswith(".xml") and weights in names:
                    yield archive.read(name, most=MOST), archive.read(weights, most=MOST)
