"""Fitting: one call, two routes, the check of a fit, refits of a compiled model."""
