"""Reading files of weights that others publish, for importers and for plugins with weights of their own.

Nothing that a file holds is executed: `read_torch` and `read_pickle` know tensors, plain containers and the few names
that their caller gives.
"""

from kinblend.settings import home_folder
from kinblend.storage.checkpoint_reader import (
    checkpoint_format,
    describe_file,
    existing_checkpoint,
    read_safetensors,
    read_torch,
    refusal,
    validate_tensors,
)
from kinblend.storage.contents import AVERAGES, Contents, read_contents
from kinblend.storage.networks import build_network
from kinblend.storage.openvino import Graph, Node, Output, read_openvino
from kinblend.storage.plain_values import FileArray, ignore_state, make_mapping
from kinblend.storage.safe_pickle import Global, Refused, read_pickle, reason, refuse_unsound
from kinblend.storage.tensors import read_tensor
from kinblend.storage.torch_files import read_legacy, tensor_globals

__all__ = [
    "AVERAGES",
    "Contents",
    "FileArray",
    "Global",
    "Graph",
    "Node",
    "Output",
    "Refused",
    "build_network",
    "checkpoint_format",
    "describe_file",
    "existing_checkpoint",
    "home_folder",
    "ignore_state",
    "make_mapping",
    "read_contents",
    "read_legacy",
    "read_openvino",
    "read_pickle",
    "read_safetensors",
    "read_tensor",
    "read_torch",
    "reason",
    "refusal",
    "refuse_unsound",
    "tensor_globals",
    "validate_tensors",
]
