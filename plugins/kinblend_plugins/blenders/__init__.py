"""The built-in strategies."""

import kinblend

_HERE = "kinblend_plugins.blenders"
_WEIGHTS = {"learned": "blender.safetensors", "likeness": "heredity.safetensors"}


@kinblend.hookimpl
def kinblend_register_blenders(register):
    for name, summary, module, title in (
        ("average", "one share for the whole face", "shares", "Average"),
        ("dimension", "a share per latent dimension, across all layers", "shares", "Dimension"),
        ("layer", "a share per layer, or per group of layers", "shares", "Layer"),
        ("mask", "every gene from one parent, drawn by seed", "mask", "Mask"),
        ("learned", "a weight for every element, from a network trained on families", "learned", "Learned"),
        (
            "likeness",
            "weights sought for each couple: a picture as like them as a child would be",
            "likeness",
            "Likeness",
        ),
        ("slerp", "spherical interpolation, layer by layer", "slerp", "Slerp"),
    ):
        register(
            kinblend.PluginSpec(
                name,
                summary,
                f"{_HERE}.{module}:{title}Blender",
                f"{_HERE}.options:{title}Options",
                weights=_WEIGHTS.get(name, ""),
            )
        )


@kinblend.hookimpl
def kinblend_register_trainers(register):
    for name, summary, module, options in (
        ("learned", "the weight network of the blender `learned`, from families", "trainer", "TrainOptions"),
        ("likeness", "what becomes of parents' looks in a child, from families", "heredity", "HeredityOptions"),
    ):
        register(
            kinblend.PluginSpec(
                name, summary, f"{_HERE}.training.{module}:train", f"{_HERE}.training.options:{options}"
            )
        )


@kinblend.hookimpl
def kinblend_register_benchmarks(register):
    register(
        kinblend.PluginSpec("train", "a step of the learned blender's training", f"{_HERE}.training.benchmark:step")
    )
