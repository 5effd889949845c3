"""The built-in strategies."""

import kinblend

_HERE = "kinblend_plugins.blenders"


@kinblend.hookimpl
def kinblend_register_blenders(register):
    for name, summary, module, title in (
        ("average", "one share for the whole face", "shares", "Average"),
        ("dimension", "a share per latent dimension, across all layers", "shares", "Dimension"),
        ("layer", "a share per layer, or per group of layers", "shares", "Layer"),
        ("mask", "every gene from one parent, drawn by seed", "mask", "Mask"),
        ("learned", "a weight for every element, from a network trained on families", "learned", "Learned"),
        ("likeness", "weights by which both parents are recognised in the picture", "likeness", "Likeness"),
        ("slerp", "spherical interpolation, layer by layer", "slerp", "Slerp"),
    ):
        register(
            kinblend.PluginSpec(name, summary, f"{_HERE}.{module}:{title}Blender", f"{_HERE}.options:{title}Options")
        )


@kinblend.hookimpl
def kinblend_register_trainers(register):
    register(
        kinblend.PluginSpec(
            "learned",
            "the weight network of the blender `learned`, from families",
            f"{_HERE}.training.trainer:train",
            f"{_HERE}.training.options:TrainOptions",
        )
    )


@kinblend.hookimpl
def kinblend_register_benchmarks(register):
    register(
        kinblend.PluginSpec("train", "a step of the learned blender's training", f"{_HERE}.training.benchmark:step")
    )
