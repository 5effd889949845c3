"""The reference of files: latents, packs, `child.json`; of exit codes, and of hooks. All from the code."""

import dataclasses
import inspect
import json
import tempfile
from pathlib import Path
from typing import Any

from generate.pieces import code, fenced, prose, table
from kinblend import errors, hookspecs
from kinblend.cli.allowed import allowed_values, default_value
from kinblend.errors import KinblendError
from kinblend.settings import Settings

LATENT = {
    "code": "float32 [L, D]: the latent code",
    "weights": "float32 [L, D] in [0, 1]: the father's share of each element, of children that are a weighted sum",
    "detail.NAME": "what the code can't hold; names, shapes and dtypes are the projector's",
}
# What each key of child.json means. A test compares the keys with a manifest.
CHILD = {
    "schema": "the version of this format",
    "request": "the fields that were given, see below; `kinblend run --from` asks for them again",
    "encoder_options": "options of the encoder that were given",
    "versions": "of kinblend, torch, numpy and Python",
    "backbone": "the pack's name, the SHA-256 of each of its files, encoder and projector",
    "inputs": "of father and mother: the SHA-256 of the photograph, of its pixels, or of the latent",
    "faces": "which face of each photograph, counted from the left",
    "face_quality": "how each parent's face lies in the photograph: pose, size, sharpness, what covers it",
    "blender": "the strategy: name, class, options, distribution, SHA-256 of its sources",
    "editor": "the editor likewise; null without one",
    "neutral": "whether parents were made neutral before they were blended",
    "edits": "attribute → strength or target",
    "asked": "for each child the age and sex that it was asked to have",
    "children": "how many there are",
    "seed": "the first child's seed",
    "seeds": "each child's seed",
    "device": "where the networks ran",
    "precision": "of the networks",
    "memory_budget": "bytes; null without one",
    "threads": "how many PyTorch used: sums in another order round otherwise",
    "judge": "the analyser that looked at the children; null where none was asked",
    "judge_note": "why it saw nothing",
    "seen": "for each child the age and sex that the judge sees, and how sure it is of the sex",
    "identity_network": "whose cosines `similarity` holds",
    "similarity_scale": "mean cosines of strangers, siblings and one person, by that network",
    "similarity": "for each child the cosine to father and mother",
    "clamped": "for each child how far its code was brought back to what codes of faces are like",
    "varied": "for each child how far siblings and mutation moved its code",
    "offset": "for each child how much of its code is no weighted sum of its parents",
    "warnings": "what will hardly be what was meant",
    "cost": "seconds of each stage, peak memory, each lease of the device: all that differs from run to run",
}
PACK = {
    "schema": "the version of this format",
    "name": "the pack's name, which `--backbone` takes",
    "encoder": "the plugin that finds latents; missing or empty: the pack has none",
    "projector": "the plugin that draws them",
    "layers": "L of its codes [L, D]",
    "dim": "D",
    "resolution": "the side of its pictures in pixels",
    "generator": "the file whose SHA-256 is the identity of the latent space",
    "settings": "the plugins' own; they come as `context.settings`",
    "summary": "one line",
    "training_data": "what its weights were made of",
    "licence": "on which terms it may be used",
    "source": "where it comes from",
    "files": "each file's SHA-256 and bytes",
    "sha256": "of everything above: what is changed afterwards is noticed",
}


def pages() -> dict[str, str]:
    """Path → Markdown."""
    return {
        "reference/formats.md": formats(),
        "reference/exit-codes.md": exit_codes(),
        "reference/hooks.md": hooks(),
        "reference/settings.md": settings(),
    }


def formats() -> str:
    request = field_table()
    return f"""# Files

All are written whole or not at all. Numbers are little-endian, as safetensors has them. Lists of couples and of trios
are described where they are used: [batch.md](../batch.md), [families.md](../families.md).

## Latents
`child.safetensors` and every file that `kinblend encode` writes:
[safetensors](https://github.com/huggingface/safetensors), with a SHA-256 of the tensors in the
metadata. `kinblend.load_latent` reads it.
{rows_of("tensor", LATENT)}
The metadata of one with four layers:
{fenced(latent_example(), "json")}
A latent belongs to the space whose generator has that SHA-256, and is refused in any other.

## Packs
A folder with `pack.json` and the files that it names. `kinblend.packs.write_description` writes it,
`kinblend models verify` checks it.
{rows_of("key of `pack.json`", PACK)}
## child.json
The manifest of a run: what was asked, what was used, what came out. The same inputs give the same record, but for
`cost`. It names no photograph.
{rows_of("key", CHILD)}
### request
The fields of `kinblend.ChildRequest`. Python, the web app and the tables of `kinblend batch` have them too.
{request}"""


def rows_of(head: str, fields: dict[str, str]) -> str:
    return table([head, "meaning"], [[code(key), prose(meaning)] for key, meaning in fields.items()])


def field_table() -> str:
    from kinblend import ChildRequest

    schema = ChildRequest.model_json_schema()
    rows = [
        [code(key), prose(allowed_values(field, schema)), code(default_value(field)), prose(field["description"])]
        for key, field in schema["properties"].items()
    ]
    return table(["field", "values", "default", "meaning"], rows)


def latent_example() -> str:
    """The metadata of a latent file that was written for it."""
    import torch

    from kinblend import Latent, LatentSpace, save_latent

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "one.safetensors"
        save_latent(file, Latent(torch.zeros(4, 512), LatentSpace("toy", 4, 512, "ab" * 32)))
        data = file.read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    return json.dumps(header, indent=2)


def exit_codes() -> str:
    """Each error of `kinblend.errors` under the code that the command line ends with."""
    found: dict[int, list[Any]] = {}
    for error in vars(errors).values():
        if inspect.isclass(error) and issubclass(error, KinblendError):
            found.setdefault(error.exit_code, []).append(error)
    about = {1: "the work failed", 2: "invalid usage", 3: "an input was refused", 4: "a model is missing or damaged"}
    lines = [
        "# Exit codes\n",
        "0: done. Others come with one line on stderr that says what to do. In Python the same "
        "errors are raised; all derive from `kinblend.KinblendError`.\n",
    ]
    for number, kinds in sorted(found.items()):
        rows = [[code(one.__name__), prose(first_line(one))] for one in kinds]
        lines.append(f"## {number}: {about[number]}\n{table(['error of `kinblend.errors`', 'when'], rows)}")
    lines.append("\nCtrl-C ends a command with 130.\n")
    return "\n".join(lines)


def hooks() -> str:
    """Each hook with its parameters and its docstring."""
    lines = [
        "# Hooks\n",
        "A plugin is a module with some of these functions, each marked `@kinblend.hookimpl`. "
        "[Writing a plugin](../plugins.md) shows whole ones.\n",
    ]
    for name, hook in vars(hookspecs).items():
        if name.startswith("kinblend_"):
            parameters = ", ".join(inspect.signature(hook).parameters)
            lines.append(f"## {name}\n{fenced(f'{name}({parameters})', 'python')}\n{prose(inspect.getdoc(hook))}\n")
    return "\n".join(lines)


def first_line(found: Any) -> str:
    return (inspect.getdoc(found) or "").split("\n\n")[0]


SETTINGS = {
    "home": "the folder of packs, caches and weights of your own; default: the system's folder for users' data",
    "offline": "1 forbids the network, which `kinblend models pull` alone uses",
    "backbone": "a pack; default: the installed one that plugins prefer",
    "encoder": "in the place of the backbone's own",
    "blender": "the strategy; default: the one that plugins prefer, and likewise the next",
    "editor": "what moves attributes",
    "detector": "what finds faces",
    "landmarker": "what finds 68 points in a face",
    "identity_network": "what similarity is told by",
    "upscaler": "what enlarges small faces, where a command is told to",
    "device": "auto, cpu, cuda or cuda:N",
    "precision": "auto, fp32, bf16 or fp16",
    "memory_budget": "device memory for weights, such as 2GiB; default: no limit",
    "token": "what clients of `kinblend serve` must know",
}


def settings() -> str:
    """Every setting with its variable and its default."""
    defaults = {one.name: one.default for one in dataclasses.fields(Settings)}
    rows = [
        [code(name), code(f"KINBLEND_{name.upper()}"), code(value if isinstance(value, str) else ""), prose(meaning)]
        for name, meaning in SETTINGS.items()
        for value in [defaults[name]]
    ]
    return (
        "# Settings\n\nFlags beat variables of the environment, which beat `kinblend.toml` in the current directory. "
        "An unknown key is an error, an unknown variable a warning.\n"
        + table(["key of `kinblend.toml`", "variable", "default", "meaning"], rows)
        + fenced('backbone = "morphable"\ndevice = "cpu"\nmemory_budget = "2GiB"', "toml")
        + "\nThe lines above are a `kinblend.toml`. `kinblend doctor` prints where `home` is.\n"
    )
