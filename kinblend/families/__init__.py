"""Families: from pictures of fathers, mothers and children to what the learned blender is trained on."""
