r"""The ledger of combinations of coefficients, in closed form and without draws: types of therapy, moderators of the drug's effect.

A combination :math:`c^T \beta` given the heterogeneity SDs is normal; over them the posterior is a mixture, here of the few hundred
values that stand for all (:func:`pillprocess.gaussian.left_out.heaviest`). Several designs that differ in a prior SD are mixed by
prior weight times marginal likelihood: one SD more, learned by quadrature.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from pillprocess.decomposition.identifiability import NAMES, kind_of_evidence, verdict
from pillprocess.decomposition.information import shares_at
from pillprocess.decomposition.within_trials import spans, within_trials
from pillprocess.gaussian.design_checks import parameter_names
from pillprocess.gaussian.fit import in_canonical_order, integrate
from pillprocess.gaussian.left_out import heaviest
from pillprocess.gaussian.marginals import mixture_summary
from pillprocess.gaussian.normal_equations import Array, combination_moments, combined

NODES = 300
ALL_NODES = 100_000  # for differences of means, which are small
TOLERANCE = 1e-2
POWER = 1.25
SUMMARY = ["mean", "sd", "ci_low", "ci_high", "p_below"]


@dataclass(frozen=True)
class Mixture:
    """Moments (combination, node) at weighted nodes of the scales, the weight of every design, and E tau^2 of every effect."""

    mean: Array
    sd: Array
    weight: Array
    design_weight: Array
    variance: Array

    def summary(self) -> Array:
        """``SUMMARY`` of every combination (statistic, combination)."""
        return mixture_summary(self.mean.T, self.sd.T, self.weight[:, None], level=0.95)


def combination_ledger(
    designs: Sequence[xr.Dataset], targets: Mapping[str, Mapping[str, float]], *, prior_weight: Sequence[float] = (1.0,)
) -> tuple[pd.DataFrame, Array]:
    """Write the ledger's row of every combination of coefficients.

    Parameters
    ----------
    designs
        One design, or designs that differ in prior SDs alone.
    targets
        Weights of coefficients by name, by the name of the combination; the last coefficient named is the one whose column says
        which trials contrast it.
    prior_weight
        Prior probability of each design.

    Returns
    -------
    DataFrame indexed by target: ``mean``, ``sd``, ``ci_low``, ``ci_high``, ``p_below``, ``evidence``, the four shares of
    :mod:`pillprocess.decomposition.information`, ``n_trials``, ``n_unconfounded``, ``contraction``, ``prior_sensitivity``,
    ``entangled_with`` and ``verdict``, as in :func:`pillprocess.identifiability`; and the posterior probability of each design.
    """
    prior = np.asarray(prior_weight, float) / np.sum(prior_weight)
    ordered = [in_canonical_order(design) for design in designs]
    first = ordered[0]
    names = [*parameter_names(first, "coefficient"), *parameter_names(first, "effect")]
    scalar = [str(v) for v in first["coefficient"].to_numpy()[first["coefficient_dim"].to_numpy() == ""]]
    wanted = np.array([[one.get(n, 0.0) for n in names] for one in targets.values()])
    others = np.array([[float(n == v) for n in names] for v in scalar])
    sums = (wanted[:, None] + others).reshape(-1, len(names))
    found = mix(ordered, np.concatenate([wanted, others, sums]), prior)
    summary = found.summary()
    k, m = len(wanted), len(scalar)
    variance = summary[1] ** 2
    covariance = (variance[k + m :].reshape(k, m) - variance[:k, None] - variance[k : k + m]) / 2
    correlation = covariance / np.sqrt(variance[:k, None] * variance[k : k + m])

    used = wanted[:, : first.sizes["coefficient"]]
    prior_sd2 = np.array([design["prior_sd"].to_numpy() ** 2 for design in ordered])
    at_mean = first.assign(prior_sd=("coefficient", np.sqrt(found.design_weight @ prior_sd2)))
    shares = shares_at(at_mean, found.variance, combinations=pd.DataFrame(used, index=list(targets)))
    sensitivity = _prior_sensitivity(ordered, wanted, prior) / summary[1, :k]
    within = within_trials(first["X"].to_numpy(), first)
    rows = []
    for i, (name, one) in enumerate(targets.items()):
        column = names.index(list(one)[-1])
        carrying = [w for w in within.values() if np.abs(w[:, column]).max(initial=0.0) > 1e-9]
        apart = [j for j, v in enumerate(scalar) if v not in one]
        partner = max(apart, key=lambda j: abs(correlation[i, j]), default=None)
        other = "" if partner is None else NAMES.get(scalar[partner], scalar[partner])
        r = 0.0 if partner is None else float(correlation[i, partner])
        evidence = kind_of_evidence(shares.loc[name])
        rows.append(
            dict(zip(SUMMARY, summary[:, i], strict=True)) | {"evidence": evidence} | shares.loc[name].to_dict() | {
                "n_trials": len(carrying), "n_unconfounded": sum(spans(w, used[i]) for w in carrying),
                "contraction": 1 - variance[i] / (prior @ prior_sd2 @ used[i] ** 2), "prior_sensitivity": sensitivity[i],
                "entangled_with": f"{other} (r = {r:+.2f})" if other else "",
                "verdict": verdict(evidence, shares.loc[name], sensitivity[i], other, r),
            }
        )  # fmt: skip
    return pd.DataFrame(rows, index=pd.Index(list(targets), name="target")), found.design_weight


def mix(designs: Sequence[xr.Dataset], combinations: Array, prior: Array, *, nodes: int = NODES) -> Mixture:
    """Integrate each design and weigh them by prior probability times marginal likelihood; ``combinations`` (combination, parameter)."""
    parts, evidence = [], []
    for design in designs:
        grid = integrate(design, tolerance=TOLERANCE)
        tau, weight = heaviest(grid, nodes)
        parts.append((tau, weight, *combination_moments(combined(grid.system, combinations.T), tau)))
        evidence.append(grid.log_marginal_likelihood)
    posterior = prior * np.exp(np.array(evidence) - max(evidence))
    posterior /= posterior.sum()
    weight = np.concatenate([p * part[1] for p, part in zip(posterior, parts, strict=True)])
    names = designs[0]["scale"].to_numpy().tolist()
    scale = [names.index(s) for s in designs[0]["effect_scale"].to_numpy().tolist()]
    square = weight @ np.concatenate([part[0] for part in parts]) ** 2
    mean, sd = (np.concatenate([part[i] for part in parts], axis=1) for i in (2, 3))
    return Mixture(mean, sd, weight, posterior, square[scale])


def _prior_sensitivity(designs: Sequence[xr.Dataset], combinations: Array, prior: Array) -> Array:
    """Change of the posterior means per doubling of the power of the linear terms' prior, as :func:`pillprocess.power_scaling`."""
    ends = []
    for power in (POWER, 1 / POWER):
        scaled = [d.assign(prior_sd=d["prior_sd"] / np.sqrt(power)) for d in designs]
        found = mix(scaled, combinations, prior, nodes=ALL_NODES)
        ends.append(found.mean @ found.weight)
    return np.abs(ends[0] - ends[1]) / np.log2(POWER**2)
