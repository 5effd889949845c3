"""`kinblend run --from child.json`: what a manifest says was asked for, and which photographs it was asked of."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinblend.cli.output import log
from kinblend.errors import InputError, UsageError

if TYPE_CHECKING:
    from kinblend.backbone import Backbone
    from kinblend.pipeline.request import ChildRequest


@dataclass(frozen=True)
class Repeated:
    """A manifest's request. backbone: the name or folder to use. manifest: all of it."""

    request: ChildRequest
    backbone: str
    encoder_options: dict[str, Any]
    manifest: Mapping[str, Any]

    def chosen_encoder(self, given: str | None) -> str:
        """The encoder to use, which is the manifest's. Raises `UsageError` where another is given."""
        used = str(self.manifest["backbone"]["encoder"]["name"])
        if given not in (None, used):
            raise UsageError(f"these children were made with the encoder {used}; leave out --encoder {given}")
        return used

    def check_photographs(self, father: Path | None, mother: Path | None) -> None:
        """Raise `UsageError` where one is missing, `InputError` where it is another than the manifest's."""
        from kinblend.pipeline.lineage import check_source

        for role, path in (("father", father), ("mother", mother)):
            sha256 = str(self.manifest["inputs"][role].get("sha256", ""))
            if not sha256:
                raise InputError(f"the {role}'s photograph was given as pixels; give the picture in Python again")
            if path is None:
                raise UsageError(f"give --{role}: the photograph with the SHA-256 {sha256}")
            check_source(self.manifest, role, path)

    def check_backbone(self, backbone: Backbone) -> None:
        """Raise `UsageError` where a file of the pack has changed since. What else differs is told."""
        made_with, here = self.manifest["backbone"]["files"], backbone.pack.description["files"]
        changed = [
            name for name in sorted({*made_with, *here}) if made_with.get(name) != here.get(name, {}).get("sha256")
        ]
        if changed:
            raise UsageError(
                f"these children were made with other files of {backbone.name}: {', '.join(changed)}; they can't be "
                "made again with these"
            )
        import torch

        from kinblend.pipeline.manifest import versions

        now = versions() | {"threads": torch.get_num_threads()}
        then = self.manifest["versions"] | {"threads": self.manifest["threads"]}
        for name in sorted(name for name in now if now[name] != then.get(name)):
            log(f"{name} was {then.get(name)} and is {now[name]}: bytes may differ")


def read_manifest(path: Path, backbone: str | None, given: Mapping[str, Mapping[str, Any]]) -> Repeated:
    """What a `child.json` asks for.

    backbone: in the place of the manifest's name, such as a folder. given: the files that options name, by kind of
        plugin and option: a manifest knows their SHA-256 alone.
    Raises `InputError`, and `UsageError` that says which file is missing.
    """
    from kinblend.pipeline.request import ChildRequest

    try:
        manifest = json.loads(path.read_text("utf-8"))
        fields, options = dict(manifest["request"]), dict(manifest["encoder_options"])
        name, _ = str(manifest["backbone"]["name"]), manifest["backbone"]["encoder"]["name"]
        for part in ("inputs", "versions", "threads"):
            manifest[part]
    except OSError as error:
        raise InputError(f"{path} can't be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is not a manifest that kinblend run wrote ({error})") from error
    made_by = manifest.get("blender")
    if isinstance(made_by, dict) and not made_by.get("name"):
        raise UsageError(f"{path}: the strategy was given in Python, {made_by.get('class')}; make them again there")
    for kind in ("blender", "projector", "editor"):
        if f"{kind}_options" in fields:
            fields[f"{kind}_options"] = _with_files(fields[f"{kind}_options"], given[kind], f"{kind}.")
    options = _with_files(options, given["encoder"], "encoder.")
    return Repeated(ChildRequest.of(fields), backbone or name, options, manifest)


def _with_files(options: Any, given: Any, where: str) -> Any:
    """Options with the files that were given in the place of their hashes."""
    if not isinstance(options, dict):
        return options
    if set(options) != {"sha256"}:
        known = given if isinstance(given, Mapping) else {}
        return {name: _with_files(value, known.get(name), f"{where}{name}.") for name, value in options.items()}
    from kinblend.files import file_sha256

    name, sha256 = where.rstrip("."), options["sha256"]
    if not isinstance(given, str) or not Path(given).is_file():
        raise UsageError(f"give --set {name}=FILE: the file with the SHA-256 {sha256}")
    if file_sha256(given) != sha256:
        raise InputError(f"{given} is another file: {name} has the SHA-256 {sha256}")
    return given
