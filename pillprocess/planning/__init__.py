"""Trials before they are run: what a design compares, what it is expected to teach, how large it must be, what it costs."""
