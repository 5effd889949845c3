"""The training of the learned blender."""
