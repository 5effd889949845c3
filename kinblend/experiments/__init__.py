"""Experiments: what others did by hand, as commands. The first one: attributes read from codes, and moved."""
