"""Does it work? Measured on people that no training saw."""
