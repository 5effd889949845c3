"""Checkpoints that run code where they are read carelessly, and damaged ones."""

import builtins
import io
import os
import pickle
import zipfile
from pathlib import Path

import torch
from published_checkpoints import Call


def _saved(value: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


def _zip(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def _script() -> bytes:
    """The names a TorchScript archive has; what stands in them is never read."""
    return _zip({"archive/constants.pkl": b"x", "archive/code/model.py": b"x", "archive/data.pkl": pickle.dumps({})})


def hostile(trace: Path) -> dict[str, bytes]:
    """Files by name; loading one carelessly creates `trace`."""
    touch = f"open({str(trace)!r}, 'w').close()"
    system = Call(os.system, f"touch '{trace}'")
    calls = {
        "system": system,
        "eval": Call(builtins.eval, touch),
        "exec": Call(builtins.exec, touch),
        "open": Call(builtins.open, str(trace), "w"),
        "nested": {"G_ema": [{"deep": system}]},
        "as-state": {"state_dict": {"w": system}},
        "getattr": Call(builtins.getattr, "text", "__class__"),
        "import": Call(builtins.__import__, "os"),
        "mkdir": Call(os.mkdir, str(trace)),
        "loads": Call(pickle.loads, pickle.dumps(system)),
    }
    files = {name: pickle.dumps(value) for name, value in calls.items()}
    files |= {f"{name}-torch": _saved(calls[name]) for name in ("system", "eval", "as-state")}
    files["bytes-in-storage"] = pickle.dumps({"G_ema": Call(torch.storage._load_from_bytes, files["system"])})
    files["zip-in-zip"] = _zip({"archive/data.pkl": _zip({"data.pkl": files["system"]})})
    files["zip-of-pickle"] = _zip({"archive/data.pkl": files["system"], "archive/version": b"3"})
    files["torchscript"] = _script()
    honest = _saved({"w": torch.ones(64)})
    files["truncated"] = honest[: len(honest) // 2]
    files["wrong-header"] = b"PK\x03\x04" + bytes(64)
    files["empty"] = b""
    files["text"] = b"not a checkpoint at all\n"
    return files
