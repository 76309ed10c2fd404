"""How good weights are: rows of numbers for pictures (rows), likeness (likeness), copies (copies)."""
