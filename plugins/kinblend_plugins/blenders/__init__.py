"""The built-in strategies."""

from __future__ import annotations

from collections.abc import Callable

import kinblend

_HERE = __name__
_SHARES, _OPTIONS, _TRAINING = f"{_HERE}.shares", f"{_HERE}.options", f"{_HERE}.training"


@kinblend.hookimpl
def kinblend_register_blenders(register: Callable[[kinblend.PluginSpec], None]) -> None:
    register(
        kinblend.PluginSpec(
            "average",
            "one share for the whole face",
            f"{_SHARES}:AverageBlender",
            f"{_OPTIONS}:AverageOptions",
            preferred=50,
            variants={"father alone": {"share": 1.0}, "mother alone": {"share": 0.0}},
            label="Even mix",
            explanation="The whole face lies between both parents.",
        )
    )
    register(
        kinblend.PluginSpec(
            "dimension",
            "a share per latent dimension, across all layers",
            f"{_SHARES}:DimensionBlender",
            f"{_OPTIONS}:DimensionOptions",
            preferred=5,
            variants={"dimension": {"default": 0.35}},
            label="Trait by trait",
            explanation="Every trait has a share of its own, the same everywhere in the face.",
        )
    )
    register(
        kinblend.PluginSpec(
            "layer",
            "a share per layer, or per group of layers",
            f"{_SHARES}:LayerBlender",
            f"{_OPTIONS}:LayerOptions",
            preferred=20,
            variants={"layer": {"shares": {"coarse": 1.0}, "default": 0.0}},
            label="Part by part",
            explanation="You choose how much of each part comes from whom.",
        )
    )
    register(
        kinblend.PluginSpec(
            "mask",
            "each stretch of the code from one parent, drawn by seed",
            f"{_HERE}.mask:MaskBlender",
            f"{_OPTIONS}:MaskOptions",
            preferred=10,
            label="By chance",
            explanation="Every trait comes whole from one parent. Brothers and sisters differ.",
        )
    )
    register(
        kinblend.PluginSpec(
            "learned",
            "a weight for every element, from a network trained on families",
            f"{_HERE}.learned:LearnedBlender",
            f"{_OPTIONS}:LearnedOptions",
            weights="blender.safetensors",
            preferred=30,
            label="As in families",
            explanation="What goes on to a child, as a network learned it from families.",
        )
    )
    register(
        kinblend.PluginSpec(
            "likeness",
            "weights optimised for each couple, so that the child looks as much like both as a child would",
            f"{_HERE}.likeness:LikenessBlender",
            f"{_OPTIONS}:LikenessOptions",
            weights="heredity.safetensors",
            preferred=40,
            variants={
                "likeness, no heredity": {"heredity": 0.0},
                "likeness, along the gradient": {"search": "gradient", "steps": 5, "picture_size": 128},
            },
            label="Like both",
            explanation="Searched for each couple: as much like both parents as a child would be. Takes longer.",
        )
    )
    register(
        kinblend.PluginSpec(
            "parts",
            "parts of the face from one parent each, all else by a share",
            f"{_HERE}.parts:PartsBlender",
            f"{_OPTIONS}:PartsOptions",
            weights="parts.safetensors",
            label="Eyes, nose, mouth",
            explanation="Her eyes, his nose: each part from the parent you choose, or from both.",
        )
    )
    register(
        kinblend.PluginSpec(
            "slerp",
            "spherical interpolation, layer by layer",
            f"{_HERE}.slerp:SlerpBlender",
            f"{_OPTIONS}:SlerpOptions",
            label="Curved mix",
            explanation="Like the even mix, along a curve: features stay a little stronger.",
        )
    )


@kinblend.hookimpl
def kinblend_register_trainers(register: Callable[[kinblend.PluginSpec], None]) -> None:
    register(
        kinblend.PluginSpec(
            "learned",
            "the weight network of the blender `learned`, from families",
            f"{_TRAINING}.trainer:train",
            f"{_TRAINING}.options:TrainOptions",
            trains="blender",
            preferred=1,
        )
    )
    register(
        kinblend.PluginSpec(
            "likeness",
            "the heredity of the blender `likeness`, from families: which child to expect of two face embeddings",
            f"{_TRAINING}.heredity:train",
            f"{_TRAINING}.options:HeredityOptions",
            trains="blender",
        )
    )
    register(
        kinblend.PluginSpec(
            "parts",
            "the maps of the blender `parts`: where the parts of a face are in a backbone's pictures",
            f"{_TRAINING}.parts:train",
            f"{_TRAINING}.options:PartsTrainOptions",
            trains="blender",
        )
    )


@kinblend.hookimpl
def kinblend_register_benchmarks(register: Callable[[kinblend.PluginSpec], None]) -> None:
    register(kinblend.PluginSpec("train", "a step of the learned blender's training", f"{_TRAINING}.benchmark:step"))
