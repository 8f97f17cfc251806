r"""Participants in the synthesis: experience given the arm, then outcome given experience, from sufficient statistics.

In arm k of trial j, with experience in SDs of the drug arms and loading :math:`\lambda` of its instrument,

.. math::

    s_i &\sim N(\nu_j + \lambda (a_d + \tau_a z_j) x_k,\ \sigma_{S,k}^2) \\
    y_i \mid s_i &\sim N\{\theta_k + u_j x_k + h_j\, therapy_k + \beta_j (s_i - E[s]),\ \sigma_{Y,j}^2\}, \qquad
    \beta_j = \lambda \rho_j \sigma_{Y,j} / \sqrt{1 - \lambda^2 \rho_j^2}

where :math:`\rho_j = \tanh(\zeta_q + \tau_\zeta z'_j)` is the within-arm correlation, and :math:`\theta_k` holds
:math:`b_d` times the arm's own mean experience: the within-arm slope and the causal slope are different parameters.
"""

from collections.abc import Mapping

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import xarray as xr
from pytensor.tensor import TensorVariable

from pillprocess.synthesis.data import PERSON_STATISTICS, TRIAL_SDS
from pillprocess.synthesis.likelihoods import Belief


def add_person_arms(
    items: xr.Dataset,
    *,
    drugs: list[str],
    dimensions: list[str],
    a: TensorVariable,
    b: TensorVariable,
    direct: TensorVariable,
    interaction: TensorVariable,
    psi: TensorVariable,
    epsilon: TensorVariable,
    belief: Belief,
    loading: TensorVariable,
    zeta: TensorVariable,
    tau_zeta: TensorVariable,
    sds: Mapping[str, TensorVariable],
    tau_a: TensorVariable,
) -> None:
    """Add the density of the participants' arms to the model being built."""
    if not items.sizes["person_arm"]:
        return
    model = pm.modelcontext(None)
    trials = list(dict.fromkeys(items["person_trial_of"].to_numpy()))
    model.add_coords({"person_trial": trials, "person_arm": items["person_arm"].to_numpy()})

    def of(variable: str, labels: list[str]) -> np.ndarray:
        return np.array([labels.index(v) for v in items[variable].to_numpy()], int)

    j, d, q = of("person_trial_of", trials), of("person_drug", drugs), of("person_dimension", dimensions)
    i = of("person_instrument", list(items["instrument"].to_numpy()))
    x, h, known = (items[f"person_{c}"].to_numpy() for c in ("dose", "therapy", "open"))
    mu, nu = pm.Normal("person_mu", 0, 2, dims="person_trial"), pm.Normal("person_nu", 0, 2, dims="person_trial")
    u, own = (sds[TRIAL_SDS[name]] * pm.Normal(f"person_{name}_raw", 0, 1, dims="person_trial") for name in ("u", "h"))
    latent = (a[d] + tau_a * pm.Normal("person_a_raw", 0, 1, dims="person_trial")[j]) * x
    mean_s = nu[j] + loading[i] * latent
    mean_y = mu[j] + (direct[d] + u[j]) * x + interaction[d] * x * h + b[d] * latent
    blind = belief.share(belief.probit(x, np.zeros(len(x)), latent))
    mean_y += (psi + own[j]) * h + epsilon * (known * (x > 0) + (1 - known) * blind)
    rho = loading[i] * pt.tanh(zeta[q] + tau_zeta * pm.Normal("person_zeta_raw", 0, 1, dims="person_trial")[j])
    sigma_s = pm.HalfNormal("person_sigma_s", 1, dims="person_arm")
    sigma_y = pm.HalfNormal("person_sigma_y", 1, dims="person_trial")[j]
    slope = rho * sigma_y / pt.sqrt(1 - rho**2)
    data = {c: model[f"person_{c}"] for c in PERSON_STATISTICS}
    density = recursion_density(data, mean_s=mean_s, mean_y=mean_y, sigma_s=sigma_s, sigma_y=sigma_y, slope=slope)
    pm.Potential("participants", pt.sum(data["kept"] * density))


def recursion_density(
    data: dict[str, TensorVariable],
    *,
    mean_s: TensorVariable,
    mean_y: TensorVariable,
    sigma_s: TensorVariable,
    sigma_y: TensorVariable,
    slope: TensorVariable,
) -> TensorVariable:
    """Log density of everybody's (s, y) in each arm, from n, means and centred sums of squares and products."""
    n, ds, dy = data["n"], data["mean_s"] - mean_s, data["mean_y"] - mean_y
    ss = data["ss"] + n * ds**2
    sy = data["sy"] + n * ds * dy
    yy = data["yy"] + n * dy**2
    residual = yy - 2 * slope * sy + slope**2 * ss
    return -n * (np.log(2 * np.pi) + pt.log(sigma_s) + pt.log(sigma_y)) - 0.5 * (
        ss / sigma_s**2 + residual / sigma_y**2
    )
