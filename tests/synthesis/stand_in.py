"""A fit whose draws are known, in place of the sampler."""

import numpy as np
import xarray as xr

DRUGS, DIMENSIONS = ["ketamine", "psilocybin"], ["dissociative", "mystical"]


def fit_with(items, direct, *, zeta=(-0.5, -0.5), b=(-0.1, -0.1), a=(2.0, 2.0), n=400):
    """Posterior draws spread evenly by .02 around these values, one per drug (ketamine, psilocybin) or dimension."""
    spread = np.linspace(-0.02, 0.02, n)[None, :, None]

    def each(values, width=1.0):
        return np.broadcast_to(np.asarray(values, float), (1, n, 2)) + width * spread

    by_drug, by_dimension = ("chain", "draw", "drug"), ("chain", "draw", "dimension")
    scalars = {
        k: (("chain", "draw"), np.zeros((1, n))) for k in ("g_0", "g_drug", "g_experience", "g_placebo", "epsilon")
    }
    scalars |= {k: (("chain", "draw"), np.ones((1, n))) for k in ("tau", "tau_belief")}
    posterior = xr.Dataset(
        {
            "direct": (by_drug, each(direct)), "interaction": (by_drug, each(0, 0)), "a": (by_drug, each(a, 0)),
            "b": (by_drug, each(b, 0.1)), "zeta": (by_dimension, each(zeta)), **scalars,
        },
        coords={"drug": DRUGS, "dimension": DIMENSIONS},
        attrs={"outcome_sd": float(items["outcome_sd"]), "experiences": items.attrs["experiences"]},
    )  # fmt: skip
    return xr.DataTree.from_dict({"/posterior": posterior, "/constant_data": items.assign_attrs(settings="{}")})
