"""The tensor that tells what a network is, for each kind that is read here."""

from __future__ import annotations

ENCODER = "input_layer.0.weight"  # of encoder4editing, pixel2style2pixel and their relatives
BOTTLENECK, LINEAR = "layer4.2.conv3.weight", "fc.weight"  # of a ResNet-50, in torchvision's names
ROSINALITY = "input.input"
NVIDIA = "b4.const"
BASICSR = "constant_input.weight"
GENERATORS = (ROSINALITY, NVIDIA, BASICSR)
