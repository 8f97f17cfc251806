"""The closed form: designs, quadrature, draws, marginals, held-out densities, and the same design as a ``pm.Model``."""
