"""No answer says where a file of the server's lies."""

import json
import sys
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from web_client import finished

from kinblend.errors import CheckpointError, OptionError, PluginError
from kinblend.settings import home_folder
from kinblend.web.paths import without_paths
from kinblend.web.problems import from_error

PART = st.text("abcXYZ019._-", min_size=1, max_size=12).filter(lambda part: part.strip("."))
FOLDERS = st.lists(PART, min_size=1, max_size=5)
AROUND = st.sampled_from(["{} has no tensor", "can't read '{}'; get it again", "weights={}: no", "needs x at ({})"])


@given(FOLDERS, PART, AROUND, st.sampled_from(["/", "~/", "file:///", "//"]))
def test_of_an_absolute_path_the_name_alone_is_left(folders: list[str], name: str, text: str, root: str) -> None:
    said = without_paths(text.format(f"{root}{'/'.join([*folders, name])}"))
    assert said == text.format(name)


@given(FOLDERS, PART, st.sampled_from(["C:\\", "\\\\"]))
def test_nor_where_it_lies_on_windows(folders: list[str], name: str, root: str) -> None:
    assert without_paths(f"no file {root}{chr(92).join([*folders, name])}") == f"no file {name}"


@pytest.mark.parametrize("root", [home_folder(), Path.home(), Path(sys.prefix), Path.cwd()], ids=str)
def test_folders_with_spaces_are_not_told_either(root: Path) -> None:
    assert without_paths(f"{root}/my packs/a b.pt is damaged") == "my packs/a b.pt is damaged"


@pytest.mark.parametrize(
    "text",
    [
        "use 4 / 5, and/or 70/10/20",
        "see https://example.org/a/b for more",
        "a latent [18, 512]/2 of 50 MB/s",
        "read the part examples/a.jpg",
    ],
)
def test_other_sentences_stay_as_they_are(text: str) -> None:
    assert without_paths(text) == text


@pytest.mark.parametrize("kind", [OptionError, PluginError, CheckpointError])
def test_errors_become_problems_without_paths(kind: type[Exception]) -> None:
    assert "/" not in from_error(kind("/srv/packs/x.safetensors has no edit parameters")).detail


@pytest.mark.parametrize(
    "change",
    [
        {"blender": "learned", "blender_options": {"edits": True}},
        {"blender": "likeness", "blender_options": {"identity": "facenet"}},
        {"blender": "likeness", "blender_options": {"identity": "mobilefacenet"}},
        {"blender": "layer", "blender_options": {"shares": "/etc/passwd"}},
        {"blender": "mask", "blender_options": {"file": "/etc/hostname"}},
        {"blender": "/srv/secret/blender.py"},
        {"projector_options": {"background": "/srv/secret"}},
    ],
    ids=str,
)
def test_no_answer_of_the_server_names_a_folder(client: TestClient, parents: dict[str, str], change: dict) -> None:
    for route in ("previews", "children"):
        refused = client.post(f"/api/v1/{route}", json=parents | change)
        said = refused.text
        if refused.status_code == 202:
            said = json.dumps(finished(client, refused.json())["problem"])
        else:
            assert refused.status_code == 422
        assert '"detail"' in said
        for folder in (
            str(home_folder()),
            str(Path.home()),
            sys.prefix,
            str(Path(__file__).parents[2]),
            "/srv/",
            "/etc/",
        ):
            assert folder not in said
