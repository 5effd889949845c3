"""The tensor that tells what a network is, for each kind that is read here."""

from __future__ import annotations

ENCODER = "input_layer.0.weight"  # of encoder4editing, pixel2style2pixel and their relatives
ROSINALITY = "input.input"
NVIDIA = "b4.const"
BASICSR = "constant_input.weight"
GENERATORS = (ROSINALITY, NVIDIA, BASICSR)
