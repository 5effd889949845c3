"""A flag that takes one value is given once: the parser would keep the last without a word."""

import pytest
from plugin_site import here
from test_output import ALL

from kinblend.errors import UsageError


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run", "--blender", "average", "--blender", "mask"], "--blender is given 2 times and takes one value"),
        (["run", "--blender", "average", "--blender=mask"], "kinblend compare FATHER MOTHER --blenders"),
        (["run", "--seed", "1", "--seed", "1", "--seed", "2"], "--seed is given 3 times"),
        (["run", "--age", "4", "--age", "8"], "kinblend strip PERSON --age"),
        (["run", "--neutral", "--no-neutral"], "--neutral/--no-neutral is given 2 times"),
        (["models", "import", "x", "--name", "a", "--name", "b"], "--name is given 2 times"),
        (["train", "blender", "learned", "--epochs", "1", "--epochs", "2"], "--epochs is given 2 times"),
        (["pack-faces", "a", "b", "--size", "8", "--size", "9"], "--size is given 2 times"),
        (["run", "--edit", "smile=1", "--edit", "smile=2"], "--edit smile is given twice, 1 and 2"),
        (["run", "--set", "blender.share=1", "--set", "blender.share=0"], "share has a value already"),
        (["run", "--set", "blender.shares.a=1", "--set", 'blender.shares={"a": 0}'], "shares has a value already"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_it_is_invalid_usage(words: list[str], said: str) -> None:
    code, out, error = here(*words)
    assert (code, out, error.count("\n")) == (2, "", 1)
    assert said in error


@pytest.mark.parametrize("name", sorted(ALL))
def test_every_command_refuses_it(name: str) -> None:
    options = [param for param in ALL[name].params if param.param_type_name == "option"]
    once = [one.opts[0] for one in options if not (one.is_flag or one.multiple or one.is_eager)]
    for flag in once[:1]:
        with pytest.raises(UsageError, match=f"{flag} is given 2 times"):
            ALL[name].make_context(name, [flag, "1", flag, "1"])


def test_what_may_come_often_still_may() -> None:
    for words in (["-v", "-v", "plugins", "--json", "--json", "--quiet"], ["run", "--help", "--edit", "a=1"]):
        assert here(*words)[0] == 0
