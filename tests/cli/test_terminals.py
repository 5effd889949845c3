"""Any terminal will do: one of ASCII alone, one that is closed, one whose reader leaves, one of 80 columns."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st
from plugin_site import Site, here
from portraits import portrait

from kinblend.cli import streams
from kinblend.cli.app import app
from kinblend.cli.demo import FATHER, MOTHER, example
from kinblend.cli.plugin_commands import command_of
from kinblend.cli.trainer_commands import trainer_command
from kinblend.plugins import load_plugins

KINBLEND = [sys.executable, "-m", "kinblend.cli"]
ENVIRON = os.environ | {"KINBLEND_BACKBONE": "morphable", "COLUMNS": "80"}


def shell(line: str, *words: object, folder: Path, **environ: str) -> subprocess.CompletedProcess:
    """A line of sh in which "$@" is kinblend with these words."""
    command = ["sh", "-c", line, "sh", *KINBLEND, *map(str, words)]
    return subprocess.run(command, cwd=folder, env=ENVIRON | environ, capture_output=True, check=False)


@settings(deadline=None)
@given(st.text(), st.sampled_from(["ascii", "latin-1", "cp1252", "koi8-r", "utf-8"]))
def test_any_text_goes_into_any_encoding(text: str, encoding: str) -> None:
    streams.prepare_streams()
    written = text.encode(encoding, streams.HANDLER)
    try:
        assert written == text.encode(encoding)
    except UnicodeEncodeError:
        assert len(written) >= len(text)


@settings(deadline=None)
@given(st.binary(max_size=20))
def test_the_bytes_of_a_files_name_come_out_as_they_are(name: bytes) -> None:
    streams.prepare_streams()
    assert name.decode("utf-8", "surrogateescape").encode("utf-8", streams.HANDLER) == name


LETTERS = [(["--help"], 0), (["encode", "Jürgen 李.jpg"], 3), (["blend", "é.safetensors", "→.safetensors"], 3)]
MORE = [(["encode", "--help"], 0), (["editors", "show", "interfacegan"], 0), (["run", "--wörter"], 2)]


@pytest.mark.parametrize(
    ("words", "code", "encoding"),
    [
        *((*case, encoding) for case in LETTERS for encoding in ("ascii", "latin-1", "cp1252")),
        *((*case, "ascii") for case in MORE),  # which can write the fewest letters
    ],
    ids=str,
)
def test_a_terminal_that_does_not_know_the_letters(
    words: list[str], code: int, encoding: str, tmp_path: Path
) -> None:
    done = shell('"$@"', *words, folder=tmp_path, PYTHONIOENCODING=encoding)
    assert (done.returncode, b"Traceback" in done.stderr) == (code, False), done.stderr
    for said in (done.stdout, done.stderr):
        said.decode(encoding)


@pytest.mark.parametrize(
    ("words", "code", "closed"),
    [
        *((["models", "list"], 0, closed) for closed in (">&-", "2>&-", "<&-", ">&- 2>&-", "<&- >&- 2>&-")),
        *((["encode", "no.jpg"], 3, closed) for closed in ("2>&-", "<&- >&- 2>&-")),
        (["--help"], 0, ">&-"),
    ],
    ids=str,
)
def test_closed_streams(words: list[str], code: int, closed: str, tmp_path: Path) -> None:
    done = shell(f'"$@" {closed}', *words, folder=tmp_path)
    assert (done.returncode, b"Traceback" in done.stderr) == (code, False), done.stderr
    if words[0] == "models" and ">" not in closed.replace("2>", ""):
        assert b"morphable" in done.stdout


def test_what_is_written_does_not_go_into_a_file_that_took_a_closed_streams_number(tmp_path: Path) -> None:
    done = shell('"$@" >&- 2>&-', "align", portrait(FATHER), "--out", "f.png", folder=tmp_path)
    assert done.returncode == 0
    assert (tmp_path / "f.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("words", [["--help"], ["run", "--help"], ["blenders", "show", "mask"], ["models", "list"]])
def test_a_reader_that_leaves(words: list[str], tmp_path: Path) -> None:
    done = shell('"$@" | true', *words, folder=tmp_path)
    assert (done.returncode, done.stderr.count(b"Traceback"), done.stderr.count(b"BrokenPipe")) == (0, 0, 0)


def test_work_goes_on_where_nobody_reads_the_progress(tmp_path: Path) -> None:
    """The exit code is that of kinblend: the shell writes it into a file."""
    line = '{ "$@" -vv align "$F" --out f.png 2>&1 >/dev/null; echo $? > code; } | true'
    shell(line, folder=tmp_path, F=str(portrait(FATHER)))
    assert (tmp_path / "code").read_text() == "0\n"
    assert (tmp_path / "f.png").is_file()


def everything() -> Iterator[tuple[list[str], object]]:
    """Every command, those of groups, trainers and plugins too: its words, itself."""
    waiting = [([], typer.main.get_command(app))]
    while waiting:
        words, command = waiting.pop()
        inside = getattr(command, "commands", None)
        yield words, command
        waiting += [([*words, key], value) for key, value in (inside or {}).items()]
    for spec in load_plugins()["trainer"]:
        yield ["train", spec.trains, spec.name], trainer_command(spec)
    for spec in load_plugins()["command"]:
        yield [spec.name], command_of(spec)


COMMANDS = [(" ".join(words), words, command) for words, command in everything()]


@pytest.mark.parametrize(("words", "command"), [one[1:] for one in COMMANDS], ids=[one[0] for one in COMMANDS])
def test_80_columns_show_every_flag_whole(words: list[str], command, monkeypatch: pytest.MonkeyPatch) -> None:
    code, said, _ = here(*words, "--help", COLUMNS=80)
    assert code == 0
    assert max(map(len, said.splitlines())) <= 80
    for param in command.params:
        for flag in (name for name in param.opts if name.startswith("--") and not getattr(param, "hidden", False)):
            assert re.search(rf"(?<!\S){flag}(?![\w-])", said), flag


def test_help_is_in_panels_with_examples() -> None:
    said = here("--help", COLUMNS=80)[1]
    for panel in ("Make a child", "The steps of a run", "Models", "Pictures of families", "Train and measure"):
        assert f"─ {panel}" in said
    assert said.count(" kinblend ") >= 3
    said = here("run", "--help", COLUMNS=80)[1]
    for words in ("─ The child", "─ Model and machine", "─ Output", "Default: 8", "[default: 1]"):
        assert words in said
    assert said.count("kinblend run ") >= 3


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("kinblend ru", "run"),
        ("kinblend run --blender m", "mask"),
        ("kinblend blend --blender av", "average"),
        ("kinblend blenders show sl", "slerp"),
        ("kinblend run --backbone morph", "morphable"),
        ("kinblend run --editor inter", "interfacegan"),
        ("kinblend run --shee", "--sheet"),
    ],
)
def test_the_shell_completes(line: str, offered: str) -> None:
    words = line.split(" ")
    environ = {"_KINBLEND_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    _, said, _ = here(**environ)
    assert offered in said.split()


def test_completion_can_be_shown(tmp_path: Path) -> None:
    done = shell('"$@" --show-completion bash', folder=tmp_path, _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1")
    assert b"_KINBLEND_COMPLETE=complete_bash" in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run", "--sex", "male"], "--sex: 'male' is not one of 'girl', 'boy', 'any'"),
        (["run", "--children", "two"], "--children"),
        (["run", "--children", "0"], "--children: use at least 1"),
        (["run", "--seed", "-1"], "--seed: use 0 to"),
        (["run", "a.jpg", "b.jpg", "c.jpg"], "unexpected extra argument"),
        (["run", str(example(FATHER))], "give both photographs: kinblend run FATHER MOTHER"),
        (["run", "a.jpg", "--father", "b.jpg", "--mother", "c.jpg"], "a child has two parents"),
        (["runn"], "no such command 'runn'"),
        (["render"], "missing argument 'LATENTS'"),
        (["render", "x.safetensors", "--noise", "loud"], "--noise: 'loud' is not one of"),
        (["train", "blender", "learned"], "missing option '--trios'"),
        (["models", "nothing"], "no such command 'nothing'"),
        (["fit-heads", "--steps", "none"], "--steps"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_invalid_usage_is_said_in_one_line_of_plain_words(words: list[str], said: str) -> None:
    code, out, error = here(*words)
    assert (code, out, error.count("\n")) == (2, "", 1), error
    assert said in error
    assert not re.search("Value error|Input should|Traceback", error)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    site = Site(tmp_path_factory.mktemp("site"))
    site.environ |= {"KINBLEND_BACKBONE": "morphable"}
    return site


def test_photographs_by_place_are_those_by_flags_and_latents_do_as_well(site: Site) -> None:
    parents, more = [portrait(FATHER), portrait(MOTHER)], ["--no-judge", "--quiet", "--json"]
    assert site.here("encode", parents[0], "--out", "f.safetensors").returncode == 0
    ways = {
        "place": [*parents],
        "flags": ["--father", parents[0], "--mother", parents[1]],
        "mixed": ["--father", parents[0], parents[1]],
        "latent": ["f.safetensors", parents[1]],
    }
    codes = {}
    for name, words in ways.items():
        done = site.here("run", *words, *more, "--out", name)
        assert done.returncode == 0, done.stderr
        codes[name] = (site.folder / name / "child.png").read_bytes()
    assert len(set(codes.values())) == 1


def test_children_are_made_again_beside_the_folder_that_their_manifest_lies_in(site: Site) -> None:
    parents = [portrait(FATHER), portrait(MOTHER), "--no-judge"]
    assert site.here("run", *parents).returncode == 0
    for number in (2, 3):
        done = site.here("run", *parents, "--from", "out/child.json")
        assert done.returncode == 0, done.stderr
        again = site.folder / f"out-{number}" / "child.png"
        assert again.read_bytes() == (site.folder / "out" / "child.png").read_bytes()


def test_children_of_others_are_seen_before_the_work(site: Site) -> None:
    (site.folder / "theirs").mkdir()
    (site.folder / "theirs" / "child-2.png").write_text("mine")
    (site.folder / "no.jpg").touch()
    done = site.here("run", "no.jpg", "no.jpg", "--out", "theirs")
    assert (done.returncode, "theirs/child-2.png is of no run" in done.stderr) == (2, True), done.stderr


def test_an_earlier_run_is_replaced_and_that_is_said(site: Site) -> None:
    parents, said = [portrait(FATHER), portrait(MOTHER), "--no-judge", "--out", "twice"], []
    for words in (["--children", 3, "--blender", "mask", "--sheet"], ["--seed", 5]):
        done = site.here("run", *parents, *words)
        assert done.returncode == 0, done.stderr
        said.append("the children of an earlier run in twice will be replaced" in done.stderr)
    assert said == [False, True]
    assert "made with backbone morphable, strategy average\n" in done.stderr
    refused = site.here("run", *parents, "--edit", "nosuch=1")
    assert (refused.returncode, "will be replaced" in refused.stderr) == (2, False), refused.stderr
    assert {path.name for path in (site.folder / "twice").iterdir()} == {
        "child.png",
        "child.safetensors",
        "child.json",
    }


def test_what_is_said_of_a_run(site: Site) -> None:
    done = site.here("run", portrait(FATHER), portrait(FATHER), "--children", 2, "--edit", "age=75y", "--out", "said")
    assert done.returncode == 0, done.stderr
    for words in (
        "note: age=75y is beyond 2 to 68 years, which morphable was fitted for",
        "makes the same child of every seed: these 2 ",
        "for others use 'mask'",
        "note: father and mother are the same photograph",
        "child 2: like father 0.",
        "similarity by dlib; usual are: strangers 0.84, siblings 0.90, one person 0.97",
        "ask with --sex girl, boy or any",
    ):
        assert words in done.stderr, words
    assert "--age N" not in done.stderr, "an age was asked for"


@pytest.mark.parametrize(
    "content", [b"some text\n", b"a,b\n1,2\n", b"\xff\xd8\xff\xe0....JFIF", b"\x89PNG\r\n\x1a\n"]
)
def test_a_file_that_is_no_latent_or_checkpoint_is_called_what_it_is(content: bytes, tmp_path: Path) -> None:
    for name in ("note.txt", "x.safetensors", "y.pt"):
        (tmp_path / name).write_bytes(content)
        kind = "picture" if content[0] > 127 else "text"
        code, _, error = here("render", tmp_path / name, "--out", tmp_path / "out")
        assert (code, error.count("\n")) == (3, 1)
        assert re.search(rf"is a (JPEG |PNG )?{kind}, not a latent", error), error
        assert "kinblend encode" in error
        code, _, error = here("models", "import", tmp_path / name, KINBLEND_HOME=tmp_path / "home")
        assert (code, error.count("\n")) == (4, 1)
        assert re.search(rf"a (JPEG |PNG )?{kind}", error), error


def test_trios_are_asked_for_as_encoded_ones(tmp_path: Path) -> None:
    (tmp_path / "trios.csv").write_text("father,mother,child\na,b,c\n")
    code, _, error = here("train", "blender", "learned", "--trios", tmp_path / "trios.csv", "--out", tmp_path / "w")
    assert code == 3
    assert "is a table, not encoded trios" in error and "kinblend families encode" in error


def test_a_plugins_command_prints_what_it_returns_as_the_flags_say(tmp_path: Path) -> None:
    site = Site(tmp_path)
    body = "import sys, kinblend\nfrom pathlib import Path\n"
    results = {
        "one": "Path('a.png')",
        "several": "[Path('a'), Path('b')]",
        "figures": "{'faces': 3, 'file': Path('c')}",
    }
    for name, value in results.items():
        body += f"def {name}(size: int = 3):\n    print('noise', file=sys.stderr)\n    return {value}\n"
    body += "@kinblend.hookimpl\ndef kinblend_register_commands(register):\n"
    for name in results:
        body += f"    register(kinblend.PluginSpec('{name}', 'A test', 'telling_plugin:{name}'))\n"
    site.add("telling", body)
    assert site.kinblend("one").stdout == "a.png\n"
    assert site.kinblend("several").stdout == "a\nb\n"
    assert site.kinblend("figures").stdout == "faces\t3\nfile\tc\n"
    done = site.kinblend("figures", "--json", "--quiet")
    assert (done.stdout.split(), done.stderr) == (["{", '"faces":', "3,", '"file":', '"c"', "}"], "")
    shown = site.kinblend("commands", "show", "one").stdout.splitlines()
    assert "--size\ta whole number\t3\t" in shown
