r"""What a fit of the decomposition knows of its pooled parameters, at nodes of its heterogeneity SDs.

Given the SDs :math:`\tau` the pooled parameters :math:`\theta` (coefficients, and what differs between drugs) are normal with mean
:math:`m(\tau)` and covariance :math:`P(\tau)`; the posterior is a mixture over a few hundred nodes.
"""

from dataclasses import dataclass

import numpy as np
import xarray as xr

from pillprocess.decomposition.estimands import SCALES
from pillprocess.gaussian.design_checks import parameter_names
from pillprocess.gaussian.fit import in_canonical_order, integrate
from pillprocess.gaussian.left_out import heaviest
from pillprocess.gaussian.normal_equations import Array
from pillprocess.gaussian.prior import scale_draws
from pillprocess.planning.comparisons import BELIEVED

NODES = 150
TOLERANCE = 1e-2
PLANNED = {
    "mu_construct", "omega", "chi", "psi", "psi_type", "epsilon", "beta", "delta", "kappa",
}  # fmt: skip
"""Coefficients that a new trial's arms may load on; a trial's own baseline is its own."""


@dataclass(frozen=True)
class Knowledge:
    """Moments of the pooled parameters at weighted nodes of the scales.

    Attributes
    ----------
    parameter : tuple of str
        ``"delta"``, ``"v[psilocybin]"`` ...
    weight : array (node,)
    mean : array (node, parameter)
    covariance : array (node, parameter, parameter)
    tau : dict
        Each heterogeneity SD at the nodes (node,). One that no trial informs is its prior's root mean square.
    free_baseline_sd : float
        SD of a new trial's own baseline under free baselines; not a number where baselines are exchangeable.
    dose_shape, therapy_measure : str
        Of the fit.
    raised : dict
        Experience at the reference dose of each drug, in SDs.
    believed : tuple of float
        Shares of blinded arms without and with the drug that believe they had it.
    """

    parameter: tuple[str, ...]
    weight: Array
    mean: Array
    covariance: Array
    tau: dict[str, Array]
    free_baseline_sd: float
    dose_shape: str
    therapy_measure: str
    raised: dict[str, float]
    believed: tuple[float, float]

    @property
    def drugs(self) -> tuple[str, ...]:
        """The drugs of the fit."""
        return tuple(self.raised)


def knowledge_of(design: xr.Dataset, *, nodes: int = NODES) -> Knowledge:
    """Integrate a design of the decomposition and return what it knows.

    Parameters
    ----------
    design
        From :func:`pillprocess.decomposition_design`.
    nodes
        Most values of the scales that stand for all.
    """
    design = in_canonical_order(design)
    tau, weight = heaviest(integrate(design, tolerance=TOLERANCE), nodes)
    X, Z, V = (design[name].to_numpy() for name in ("X", "Z", "covariance"))
    names = [*parameter_names(design, "coefficient"), *parameter_names(design, "effect")]
    scales = design["scale"].to_numpy().tolist()
    of_scale = np.array([scales.index(s) for s in design["effect_scale"].to_numpy().tolist()], int)
    pooled_effect = design["effect_mean"].to_numpy() != ""
    kept = np.concatenate([np.isin(design["coefficient_variable"].to_numpy(), list(PLANNED)), pooled_effect])
    H = np.concatenate([X, Z], axis=1)
    variance = np.concatenate(
        [np.tile(design["prior_sd"].to_numpy() ** 2, (len(tau), 1)), tau[:, of_scale] ** 2], axis=1
    )
    prior_mean = np.concatenate([design["prior_mean"].to_numpy(), np.zeros(Z.shape[1])])
    residual = design["y"].to_numpy() - H @ prior_mean
    mean, covariance = [], []
    for own in variance:
        cross = own[kept, None] * H[:, kept].T
        solved = np.linalg.solve((H * own) @ H.T + V, np.column_stack([cross.T, residual]))
        mean.append(prior_mean[kept] + cross @ solved[:, -1])
        covariance.append(np.diag(own[kept]) - cross @ solved[:, :-1])
    spread = {
        name: tau[:, scales.index(name)] if name in scales else np.full(len(tau), _prior_rms(design)) for name in SCALES
    }
    free = design.attrs.get("baseline") == "free"
    of_mu = design["coefficient_variable"].to_numpy() == "mu"
    return Knowledge(
        tuple(n for n, k in zip(names, kept, strict=True) if k), weight, np.array(mean), np.array(covariance), spread,
        float(design["prior_sd"].to_numpy()[of_mu].max()) if free and of_mu.any() else float("nan"),
        str(design.attrs["dose_shape"]), str(design.attrs["therapy_measure"]), _raised(design), _believed(design),
    )  # fmt: skip


def _prior_rms(design: xr.Dataset) -> float:
    """Root mean square of the scales' prior, which all have in common; its median where it has no variance."""
    drawn = (
        scale_draws(np.random.default_rng(0), design.isel(scale=0), 20_000)
        if design.sizes["scale"]
        else np.full(2, 0.5)
    )
    return float(np.sqrt(np.mean(np.minimum(drawn, np.quantile(drawn, 0.99)) ** 2)))


def _raised(design: xr.Dataset) -> dict[str, float]:
    """Experience at the reference dose of each drug, the largest of its rows per dose: blocked arms have none.

    Experience is proportional to dose whatever the curve of the direct effect; not a number without the term.
    """
    names = design["coefficient"].to_numpy().tolist()
    effects = design["effect_variable"].to_numpy() == "u"
    labels = [str(one).rsplit(": ", 1)[1] for one in design["effect_label"].to_numpy()[effects]]
    loading = design["Z"].to_numpy()[:, effects]
    experience = design["X"].to_numpy()[:, names.index("beta")] if "beta" in names else np.full(len(loading), np.nan)
    raised = {}
    for drug in sorted(set(labels)):
        dose = _undo_curve(loading[:, [one == drug for one in labels]].sum(axis=1), design.attrs["dose_shape"])
        given = (dose > 0) & (design["kind"].to_numpy() == "arm")
        given = given if given.any() else dose > 0
        raised[drug] = float(np.max(experience[given] / dose[given])) if given.any() else float("nan")
    return raised


def _undo_curve(amount: Array, shape: str) -> Array:
    """Dose in reference doses from the amount that a dose curve made of it (:func:`pillprocess.rows.terms.dose_curve`)."""
    if shape == "log":
        return 2**amount - 1
    return amount / (2 - amount) if shape == "emax" else amount


def _believed(design: xr.Dataset) -> tuple[float, float]:
    """Median belief of blinded arms without and with the drug; that of the embedded evidence where no arm has any."""
    names = design["coefficient"].to_numpy().tolist()
    if "epsilon" not in names or "delta" not in names:
        return BELIEVED
    belief, dose = (design["X"].to_numpy()[:, names.index(v)] for v in ("epsilon", "delta"))
    blind = (design["kind"].to_numpy() == "arm") & (belief > 0) & (belief < 1)
    sides = [belief[blind & (dose == 0)], belief[blind & (dose > 0)]]
    return (float(np.median(sides[0])), float(np.median(sides[1]))) if all(len(s) for s in sides) else BELIEVED
