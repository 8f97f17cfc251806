r"""How much of what goes with belief is belief's own doing: the drug effect under each answer.

Who gets the drug mostly knows it, and who improves guesses that he got it: the slope of the change on belief, epsilon, is an association.
Let a share s of it be belief's own effect, and the rest the drug's. With y the observed rows,

.. math:: p_s(effect) = \int p(effect \mid y, \epsilon = s e)\, p(\epsilon = e \mid y)\, de

so that s = 1 is the model with belief (the effect with belief held equal) and s = 0 the model without it (the drug with its unblinding),
both exactly. Given the scales all of it is normal: nothing is sampled, and no second fit is made.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr
from scipy.special import ndtr, ndtri

from pillprocess.decomposition.settings import with_settings
from pillprocess.gaussian.design_checks import parameter_names
from pillprocess.gaussian.fit import in_canonical_order, integrate
from pillprocess.gaussian.normal_equations import Array, combination_moments, combined

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
NODES = 15
"""Values of epsilon the integral is a sum over: exact for polynomials of degree 29 of a normal epsilon."""
SMALLEST = 1e-4
STEPS = 6


def belief_share_curve(
    design: xr.Dataset, *, shares: Sequence[float] = SHARES, therapy: tuple[float, ...] = (0.0, 1.0), level: float = 0.95
) -> pd.DataFrame:  # fmt: skip
    """Say what the drug does if a share of the slope on belief is belief's own effect, from none (0) to all of it (1).

    Parameters
    ----------
    design
        A design of :func:`pillprocess.decomposition_design` with the terms drug and expectancy.
    shares
        Shares between 0 and 1.
    therapy
        Amounts of therapy, the same in both conditions.
    level
        Probability of the equal-tailed interval.

    Returns
    -------
    DataFrame, a row per ``share``, ``drug`` and ``therapy``: ``trials`` and ``evidence`` as in :func:`pillprocess.relative_effects`,
    ``mean``, ``sd``, ``ci_low``, ``ci_high`` of the effect at the reference dose in the model's unit.

    Raises
    ------
    ValueError
        A design without the drug or the belief term, or a share outside 0 to 1.
    """
    design = in_canonical_order(design)
    names = [*parameter_names(design, "coefficient"), *parameter_names(design, "effect")]
    if lacking := [term for term, name in (("drug", "delta"), ("expectancy", "epsilon")) if name not in names]:
        raise ValueError(f"the design lacks the term {' and '.join(lacking)}; make it with HEADLINE | {{'expectancy'}}")
    if outside := [share for share in shares if not 0 <= share <= 1]:
        raise ValueError(f"shares = {', '.join(f'{s:g}' for s in outside)}; a share lies between 0 and 1")
    drugs = [name.removeprefix("v[").removesuffix("]") for name in names if name.startswith("v[")]
    settings = [(drug, amount) for drug in drugs for amount in therapy]
    effects = np.array(
        [
            [
                {"delta": 1.0, f"v[{d}]": 1.0, "kappa": a, f"w[{d}]": a / 2}.get(name, 0.0)
                for d, a in settings
            ]
            for name in names
        ]
    )  # fmt: skip
    belief = np.array([float(name == "epsilon") for name in names])[:, None]
    grid = integrate(design, tolerance=1e-2)
    kept = grid.weight > SMALLEST * grid.weight.max()
    weight = grid.weight[kept]
    mean, sd = combination_moments(
        combined(grid.system, np.hstack([effects, belief, effects + belief])), grid.tau[kept]
    )
    n = len(settings)
    slope, spread, covariance = mean[n], sd[n] ** 2, (sd[n + 1 :] ** 2 - sd[:n] ** 2 - sd[n] ** 2) / 2
    middle = weight @ slope / weight.sum()
    width = np.sqrt(weight @ (spread + (slope - middle) ** 2) / weight.sum())
    nodes, masses = np.polynomial.hermite_e.hermegauss(NODES)
    rest = np.sqrt(np.maximum(sd[:n] ** 2 - covariance**2 / spread, 0.0))
    said = with_settings(
        xr.DataArray(np.zeros((len(drugs), len(therapy))), dims=("drug", "therapy"),
                     coords={"drug": drugs, "therapy": list(therapy)}), design,
    )  # fmt: skip
    tables = []
    for share in shares:
        fixed = share * (middle + width * nodes)
        density = weight * np.exp(-0.5 * (fixed[:, None] - slope) ** 2 / spread) / np.sqrt(spread)
        mass = (density / density.sum(axis=1, keepdims=True) * (masses / masses.sum())[:, None]).ravel()
        used = mass > SMALLEST * mass.max()
        mass = mass[used] / mass[used].sum()
        for i, (drug, amount) in enumerate(settings):
            centre = (mean[i] + covariance[i] / spread * (fixed[:, None] - slope)).ravel()[used]
            scale = np.broadcast_to(rest[i], density.shape).ravel()[used]
            expected = float(np.sum(mass * centre))
            here = said.sel(drug=drug, therapy=amount)
            tables.append(
                {"share": share, "drug": drug, "therapy": amount, "trials": int(here["trials"]), "evidence": str(here["evidence"].item()),
                 "mean": expected, "sd": float(np.sqrt(np.sum(mass * (scale**2 + (centre - expected) ** 2)))),
                 "ci_low": _quantile(mass, centre, scale, (1 - level) / 2), "ci_high": _quantile(mass, centre, scale, (1 + level) / 2)}
            )  # fmt: skip
    return pd.DataFrame(tables)


def _quantile(mass: Array, centre: Array, scale: Array, p: float) -> float:
    """Where the distribution function of a mixture of near-normal posteriors passes p, by Newton's method from the normal's."""
    mean = np.sum(mass * centre)
    at = float(mean + ndtri(p) * np.sqrt(np.sum(mass * (scale**2 + (centre - mean) ** 2))))
    for _ in range(STEPS):
        z = (at - centre) / scale
        at -= float((np.sum(mass * ndtr(z)) - p) / (np.sum(mass * np.exp(-0.5 * z**2) / scale) / np.sqrt(2 * np.pi)))
    return at
