"""Families: from pictures of fathers, mothers and children to what a blender is trained on."""
