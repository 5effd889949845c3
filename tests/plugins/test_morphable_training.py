"""The road to a pack of one's own: from faces to components, from ratings to directions, by kinblend's commands."""

from __future__ import annotations

import csv
import io
import json
import zipfile

import numpy as np
import pytest
import torch
from plugin_site import Site
from safetensors import safe_open

import kinblend
from kinblend.imaging import to_pictures

FACES = 60


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A folder with faces no one has, darker the older they are, and what people would say of their ages."""
    site = Site(tmp_path_factory.mktemp("training"))
    projector = kinblend.load_backbone("morphable").projector
    generator = torch.Generator().manual_seed(0)
    codes = torch.zeros(FACES, 4, 512)
    codes[:, 0, :20] = 0.3 * torch.randn(FACES, 20, generator=generator)
    codes[:, 1:, :30] = 0.2 * torch.randn(FACES, 3, 30, generator=generator)
    ages = torch.linspace(-1.5, 1.5, FACES)[torch.randperm(FACES, generator=generator)]
    codes[:, 1, 0] = 2 * ages
    with torch.inference_mode():
        pictures = [to_pictures(projector.synthesize(code[None], size=256))[0] for code in codes]
    with zipfile.ZipFile(site.folder / "faces.zip", "w") as archive:
        rows = ["file,split,omi_stimulus", *(f"{i}.png,train,{i}" for i in range(FACES))]
        archive.writestr("index.csv", "\n".join(rows))
        for i, picture in enumerate(pictures):
            file = io.BytesIO()
            picture.save(file, "PNG")
            archive.writestr(f"{i}.png", file.getvalue())
    with (site.folder / "ratings.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("stimulus", "age"), *((i, 35 + 15 * float(age)) for i, age in enumerate(ages))])
    done = site.here("train", "backbone", "morphable", "--faces", "faces.zip", "--out", "pack", "--workers", "1")
    assert done.returncode == 0, done.stderr
    return site


def test_the_pack_it_makes_encodes_and_renders(site: Site) -> None:
    backbone = kinblend.load_backbone(site.folder / "pack")
    backbone.pack.verify()
    with zipfile.ZipFile(site.folder / "faces.zip") as archive:
        from PIL import Image

        face = Image.open(io.BytesIO(archive.read("0.png"))).convert("RGB")
    [latent] = backbone.encode([face])
    [picture] = backbone.render([latent], size=256)
    one, other = (np.asarray(p.crop((80, 90, 176, 220)), dtype=np.float64) for p in (face, picture))
    assert np.abs(one - other).mean() < 4


def test_directions_read_what_was_planted_and_fit_into_the_pack(site: Site) -> None:
    words = ["--backbone", "./pack", "--faces", "faces.zip", "--ratings", "ratings.csv", "--json", "--quiet"]
    done = site.here("train", "directions", *words)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"files": ["directions.safetensors"]}
    with safe_open(site.folder / "directions.safetensors", framework="pt") as file:
        assert json.loads(file.metadata()["attributes"])["age"]["r2"] > 0.5
    assert not (site.folder / "directions.part.safetensors").exists()
    assert site.here("models", "add", "./pack", "directions.safetensors").returncode == 0
    shown = site.here("editors", "show", "interfacegan", "--json")
    assert shown.returncode == 0
    backbone = kinblend.load_backbone(site.folder / "pack")
    editor = kinblend.Engine(site.folder / "pack").editor()
    assert {"age", "width"} <= set(editor.attributes()) and "yaw" not in editor.attributes()
    zero = torch.zeros(1, 4, 512)
    darker, lighter = (float(backbone.projector.synthesize(editor.edit(zero, {"age": s})).mean()) for s in (2, -2))
    assert darker != pytest.approx(lighter, abs=1e-3)


def test_an_archive_that_is_none_is_refused(site: Site) -> None:
    (site.folder / "text.zip").write_text("no zip")
    done = site.here("train", "backbone", "morphable", "--faces", "text.zip", "--out", "nowhere")
    assert done.returncode == 3
    assert "text.zip can't be read as a zip" in done.stderr
    assert not (site.folder / "nowhere").exists()
