"""Pickles and torch files that ask for time and memory."""

import io
import pickle
import struct
import zipfile

PAIR = b"\x86\x94"  # TUPLE2, MEMOIZE


def text(words: str) -> bytes:
    return b"\x8c" + bytes([len(words)]) + words.encode()


def doubled(times: int = 60) -> bytes:
    """A tuple of twice the same tuple, and so on: 2^times leaves in a few bytes."""
    return b")\x94" + b"".join(b"h" + bytes([n]) + b"h" + bytes([n]) + PAIR for n in range(times))


def nested_lists(depth: int) -> bytes:
    return b"]" * depth + b"a" * (depth - 1)


def persistent(state: bytes) -> bytes:
    """An NVIDIA file whose G_ema has that state."""
    head = b"\x80\x04}" + text("G_ema") + b"ctorch_utils.persistence\n_reconstruct_persistent_obj\n}"
    return head + text("state") + state + b"s\x85Rs."


def legacy(count: int, held: bytes = b"") -> bytes:
    """A file as torch wrote them before 1.6: one storage of so many floats, of which it holds these bytes."""
    storage = b"\x80\x02(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpu"
    storage += b"\x8a\x08" + struct.pack("<q", count) + b"NtQ."
    head = [pickle.dumps(value, 2) for value in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})]
    return b"".join(head) + storage + pickle.dumps(["0"], 2) + struct.pack("<q", count) + held


def zipped(pickled: bytes, records: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.writestr("archive/data.pkl", pickled, zipfile.ZIP_STORED)
        for name, data in records.items():
            archive.writestr(f"archive/data/{name}", data)
    return file.getvalue()


def tensor_of(count: int, shape: bytes, stride: bytes) -> bytes:
    """The data.pkl of one tensor of a storage of so many floats."""
    storage = b"((X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpu"
    storage += b"\x8a\x08" + struct.pack("<q", count) + b"tQ"
    return b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n" + storage + b"K\x00" + shape + stride + b"\x89}tR."


def long(number: int) -> bytes:
    return b"\x8a\x08" + struct.pack("<q", number)


HOSTILE = {
    "a shared tuple as a key": b"\x80\x04}" + doubled() + b"Ns.",
    "a shared tuple in a set": b"\x80\x04\x8f(" + doubled() + b"\x90.",
    "a shared name": persistent(b"}" + text("_modules") + b"}" + doubled() + b"Nss"),
    "a memo of gigabytes": b"\x80\x04Nr\xff\xff\xff\x7f.",
    "a list in a list …": b"\x80\x04" + nested_lists(100_000) + b".",
    "a list in itself": b"\x80\x04]\x94h\x00a.",
    "a state that holds itself": persistent(b"}\x94" + text("_modules") + b"h\x00s"),
    "a nested dtype": b"\x80\x04cnumpy\ndtype\n]" + text("a") + b"]" + text("b") + text("f8") + b"\x86aaa\x85R.",
    "a wide dtype": b"\x80\x04cnumpy\ndtype\n" + text("V2000000000") + b"\x85R.",
    "a scalar of gigabytes": b"\x80\x04cnumpy.core.multiarray\nscalar\ncnumpy\ndtype\n"
    + text("S2000000000") + b"\x85RC\x00\x86R.",
    "the state of a function": b"\x80\x04ctorch._utils\n_rebuild_tensor_v2\n}" + text("x") + b"K\x01sb.",
    "the state of a class": b"\x80\x04ccollections\nOrderedDict\n}" + text("x") + b"K\x01sb.",
    "the state of a dict": b"\x80\x04}}" + text("x") + b"K\x01sb.",
    "a long text that is not there": b"\x80\x04\x8d" + struct.pack("<Q", 2**40) + b"x.",
    "long bytes that are not there": b"\x80\x04\x8e" + struct.pack("<Q", 2**40) + b"x.",
    "a large number": b"\x80\x04\x8b" + struct.pack("<i", 50_000_000) + b"\x7f" * 50_000_000 + b".",
    "a million steps": b"\x80\x04" + b"N0" * 1_000_000 + b"N.",
    "a legacy storage that is not there": legacy(2**33),
    "a legacy storage of 1.6 GB": legacy(400_000_000, b"1234"),
    "a zip's storage that is not there": zipped(tensor_of(2**33, long(1) + b"\x85", b"K\x01\x85"), {"0": b"1234"}),
    "a compressed storage": zipped(
        tensor_of(2**26, long(2**26) + b"\x85", b"K\x01\x85"), {"0": bytes(2**28)}, zipfile.ZIP_DEFLATED
    ),
    "a tensor beyond its storage": zipped(tensor_of(1, long(2) + b"\x85", b"K\x01\x85"), {"0": b"1234"}),
    "one value a million million times": zipped(tensor_of(1, long(2**40) + b"\x85", b"K\x00\x85"), {"0": b"1234"}),
    "a negative stride": zipped(tensor_of(1, long(1) + b"\x85", long(-1) + b"\x85"), {"0": b"1234"}),
    "many dimensions": zipped(tensor_of(1, *[b"(" + b"K\x01" * 2000 + b"t"] * 2), {"0": b"1234"}),
    "an inner legacy file": persistent(
        b"}" + text("_buffers") + b"}" + text("w") + b"ctorch.storage\n_load_from_bytes\nB"
        + struct.pack("<I", len(legacy(2**33))) + legacy(2**33) + b"\x85Rss"
    ),
}  # fmt: skip
