"""Models: each file holds one, with its mathematics in the docstring."""
