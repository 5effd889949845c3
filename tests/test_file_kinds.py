"""What is no checkpoint is named for what it is, and honest checkpoints never are."""

import io
import pickle
import tarfile
import zipfile
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from published_checkpoints import Call, in_rosinalitys_names, toy
from safetensors.torch import save as save_safetensors

from kinblend.checkpoints import read_tensor, read_torch
from kinblend.errors import KinblendError
from kinblend.file_kinds import describe_head, is_safetensors
from kinblend.latents import load_latent
from kinblend.pack_import import import_pack
from kinblend.storage.checkpoint_reader import describe_file

PAGE = "<!DOCTYPE html><html><head><title>Virus scan warning</title></head><body>too large</body></html>"
LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 364000000\n"


def zipped(*names: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, b"content")
    return file.getvalue()


def tarred() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        info = tarfile.TarInfo("net.pt")
        info.size = 4
        archive.addfile(info, io.BytesIO(b"abcd"))
    return file.getvalue()


def onnx(producer: bytes = b"pytorch") -> bytes:
    """The beginning of a model: its version, who made it, that one's version."""
    return (
        b"\x08\x08\x12" + bytes([len(producer)]) + producer + b"\x1a\x052.1.0" + b":\xf0\x9a\x0c\n\x1b" + bytes(200)
    )


FOREIGN: dict[str, tuple[bytes, str]] = {
    "a page": (PAGE.encode(), "is a web page, not a checkpoint"),
    "a page with a BOM": (b"\xef\xbb\xbf" + PAGE.encode(), "is a web page"),
    "a page in UTF-16": (PAGE.encode("utf-16"), "is a web page"),
    "a page in Latin-1": (PAGE.replace("warning", "prüfen").encode("latin-1"), "is a web page"),
    "a page after a comment": (("\n\n<!-- saved -->\n" + PAGE).encode(), "is a web page"),
    "a page as XHTML": (b'<?xml version="1.0"?>\n<html xmlns="http://www.w3.org/1999/xhtml">', "is a web page"),
    "a page in capitals": (b"<HTML><BODY>Not found</BODY></HTML>", "is a web page"),
    "a refusal of a store": (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "is an XML text"),
    "a refusal in JSON": (b'{"error": "Repository not found"}', "is a JSON text"),
    "an LFS pointer": (LFS.format("ab" * 32).encode(), "is a git-LFS pointer.*git lfs pull"),
    "an LFS pointer of Windows": (LFS.format("0" * 64).replace("\n", "\r\n").encode(), "is a git-LFS pointer"),
    "an annex pointer": (b"/annex/objects/SHA256E-s364--ab.pkl\n", "is a git-annex pointer"),
    "a refusal": (b"404: Not Found", "a text that begins '404: Not Found'"),
    "a zip of pictures": (zipped("a.jpg", "b.jpg"), r"is a zip, and none of torch\.save; it holds a\.jpg, b\.jpg"),
    "a zip of a checkpoint": (zipped("net/e4e.pt"), r"is a zip that holds net/e4e\.pt; unpack it"),
    "an empty zip": (zipped(), "is a zip, and none of torch"),
    "arrays": (zipped("a.npy", "b.npy"), "is a NumPy archive"),
    "a workbook": (zipped("[Content_Types].xml", "xl/workbook.xml"), "is an Office document"),
    "Keras": (zipped("config.json", "model.weights.h5"), "is a Keras network"),
    "TorchScript": (zipped("a/code/model.py", "a/constants.pkl", "a/data.pkl"), "is TorchScript, which holds code"),
    "ONNX": (onnx(), "is an ONNX network; give the PyTorch checkpoint"),
    "ONNX of others": (onnx(b"onnx-example"), "is an ONNX network"),
    "TensorFlow's pickle": (b"\x80\x03cdnnlib.tflib.network\nNetwork\nq\x00)\x81q\x01.", "legacy.*legacy.py"),
    "HDF5": (b"\x89HDF\r\n\x1a\n" + bytes(64), "is an HDF5 file"),
    "TensorFlow Lite": (b"\x1c\0\0\0TFL3" + bytes(64), "is a TensorFlow Lite network"),
    "GGUF": (b"GGUF\x03\0\0\0" + bytes(64), "is a GGUF file"),
    "gzip": (b"\x1f\x8b\x08\0" + bytes(64), "is a gzip archive; unpack it"),
    "7z": (b"7z\xbc\xaf\x27\x1c" + bytes(64), "is a 7z archive"),
    "RAR": (b"Rar!\x1a\x07" + bytes(64), "is a RAR archive"),
    "tar": (tarred(), "is a tar archive"),
    "PNG": (b"\x89PNG\r\n\x1a\n" + bytes(64), "is a PNG picture"),
    "JPEG": (b"\xff\xd8\xff\xe0" + bytes(64), "is a JPEG picture"),
    "PDF": (b"%PDF-1.7\n" + bytes(64), "is a PDF"),
    "a video": (b"\0\0\0\x18ftypmp42" + bytes(64), "is a video"),
    "zeros": (bytes(100_000), "is nothing but zeros"),
}  # fmt: skip


@pytest.mark.parametrize("kind", FOREIGN)
@pytest.mark.parametrize("suffix", [".pt", ".pkl", ".safetensors"])
def test_every_kind_is_named_whatever_the_file_is_called(kind: str, suffix: str, tmp_path: Path) -> None:
    content, expected = FOREIGN[kind]
    path = tmp_path / f"file{suffix}"
    path.write_bytes(content)
    with pytest.raises(KinblendError, match=expected) as caught:
        import_pack(path, tmp_path / "packs", "mine")
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)
    assert list((tmp_path / "packs").iterdir()) == []


@pytest.mark.parametrize("kind", ["a page", "an LFS pointer", "ONNX", "PNG", "zeros"])
def test_every_reader_of_weights_says_so(kind: str, tmp_path: Path) -> None:
    content, expected = FOREIGN[kind]
    for name in ("file.pt", "file.safetensors"):
        (tmp_path / name).write_bytes(content)
    for read in (
        lambda: read_torch(tmp_path / "file.pt"),
        lambda: load_latent(tmp_path / "file.safetensors"),
        lambda: read_tensor(tmp_path / "file.pt", "age", "direction 'age'"),
        lambda: read_tensor(tmp_path / "file.safetensors", "age", "direction 'age'"),
    ):
        with pytest.raises(KinblendError, match=expected):
            read()


@settings(max_examples=100, deadline=None)
@given(
    before=st.sampled_from(["", "\ufeff", "\n", "  \r\n", "<!-- a comment -->\n", '<?xml version="1.0"?>']),
    tag=st.sampled_from(["<!DOCTYPE html>", "<!doctype HTML PUBLIC '-//W3C//DTD'>", "<html lang='de'>", "<HTML>"]),
    body=st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=300),
    encoding=st.sampled_from(["utf-8", "utf-16", "utf-8-sig"]),
)
def test_a_web_page_is_a_web_page(before: str, tag: str, body: str, encoding: str) -> None:
    assert describe_head(f"{before}{tag}<body>{body}".encode(encoding)).startswith("a web page")


def honest() -> dict[str, bytes]:
    state = in_rosinalitys_names(toy(16, 3))
    files = {"safetensors": save_safetensors({name: tensor.contiguous() for name, tensor in state.items()})}
    for name, zip_ in (("torch", True), ("legacy", False)):
        buffer = io.BytesIO()
        torch.save({"g_ema": state}, buffer, _use_new_zipfile_serialization=zip_)
        files[name] = buffer.getvalue()
    files["pickle"] = pickle.dumps({"G_ema": Call(dict)})
    return files


@pytest.mark.parametrize("kind", sorted(honest()))
def test_a_checkpoint_is_nothing_else(kind: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(honest()[kind])
    assert describe_file(tmp_path / "file") == ""
    assert is_safetensors(honest()[kind]) is (kind == "safetensors")


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_can_be_looked_at(data: bytes) -> None:
    assert "\n" not in describe_head(data)
