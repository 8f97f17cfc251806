r"""Types of therapy in one table, with the SD between types learned and the ledger's row of each.

.. math:: \psi_g = \psi + \psi^{type}_g, \quad \psi^{type}_g \sim N(0, \sigma_{type}^2), \quad \sigma_{type} \sim N^+(0, s^2)

:func:`pillprocess.decomposition_design` takes :math:`\sigma_{type}` as known. Here it is one scale more, integrated by eight
Gauss-Legendre nodes of its prior probability around the quadrature over the other scales.
"""

import numpy as np
import pandas as pd
from numpy.polynomial.legendre import legfit, legval
from scipy.special import ndtri

from pillprocess.decomposition.combination_ledger import combination_ledger
from pillprocess.decomposition.information import SHARES
from pillprocess.decomposition.model import Baseline, decomposition_design
from pillprocess.decomposition.therapy_effects import therapy_evidence
from pillprocess.rows.terms import HEADLINE

NODES = 8
COMMON = "all types"
FINE = 2000
WORDS = {
    "the prior answers: the data say almost nothing": "other types and the prior answer: its own trials say almost nothing",
    "^prior": "other types and the prior", "rests on the prior": "rests on other types and the prior",
}  # fmt: skip
"""The ledger's words where what is not a type's own comes from other types as well as from the prior."""


def therapy_types(
    arms: pd.DataFrame,
    contrasts: pd.DataFrame | None = None,
    *,
    terms: frozenset[str] | set[str] = HEADLINE,
    baseline: Baseline = "exchangeable",
    dose_shape: str = "linear",
    therapy_measure: str = "presence",
    prior_type_sd: float = 0.3,
) -> pd.DataFrame:
    """Tabulate the effect of every type of therapy, the SD between types learned, with its row of the ledger.

    Parameters
    ----------
    arms, contrasts, terms, baseline, dose_shape, therapy_measure
        As in :func:`pillprocess.decomposition_design`; the terms need ``therapy``.
    prior_type_sd
        Half-normal scale of the prior of the SD between types, in reference SDs.

    Returns
    -------
    DataFrame, one row per type and a first one, "all types", of the mean that types vary around: ``therapy_type``; ``mean``, ``sd``,
    ``ci_low``, ``ci_high``, ``p_below`` (against no therapy, without a drug; negative is improvement); ``trials`` and ``carried``: how
    many trials randomised the type and what carries it over where none did (:func:`pillprocess.therapy_effects`); the ledger's
    ``evidence``, shares, ``n_trials``, ``n_unconfounded``, ``contraction``, ``prior_sensitivity``, ``entangled_with`` and
    ``verdict``, in which the prior's share is also what other types lend (blank for all types, which are the ledger's own row);
    and ``type_sd``, ``type_sd_low``, ``type_sd_high``, the SD between types.

    Raises
    ------
    ValueError
        Terms without therapy, or rows without any; a prior that is not above 0; what :func:`pillprocess.decomposition_design` refuses.
    """
    if "therapy" not in terms:
        raise ValueError(f"terms = {', '.join(sorted(terms)) or 'none'}; types of therapy need the term 'therapy'")
    if not 0 < prior_type_sd < np.inf:
        raise ValueError(f"prior_type_sd = {prior_type_sd}; it must be > 0")
    design = decomposition_design(
        arms, contrasts, terms=terms, baseline=baseline, dose_shape=dose_shape, therapy_measure=therapy_measure,
        prior_therapy_type_sd=prior_type_sd,
    )  # fmt: skip
    typed = design["coefficient_variable"] == "psi_type"
    names = [str(n) for n in design["coefficient_label"].to_numpy()[typed.to_numpy()]]
    if not names:
        raise ValueError("no row has therapy: there are no types to compare")
    node, weight = np.polynomial.legendre.leggauss(NODES)
    sds = prior_type_sd * ndtri(0.5 + 0.5 * (node + 1) / 2)
    designs = [design.assign(prior_sd=design["prior_sd"].where(~typed, sd)) for sd in sds]
    targets = {name: {"psi": 1.0, f"psi_type[{name}]": 1.0} for name in names}
    ledger, probability = combination_ledger(designs, {COMMON: {"psi": 1.0}} | targets, prior_weight=weight.tolist())
    trials, _, words = therapy_evidence(design, names)
    table = ledger.rename_axis("therapy_type").reset_index()
    table.insert(6, "trials", [len(set().union(*trials)), *map(len, trials)])
    table.insert(7, "carried", ["", *words])
    for old, new in WORDS.items():
        table[["evidence", "verdict"]] = table[["evidence", "verdict"]].replace(old, new, regex=True)
    table.loc[0, ["evidence", "verdict"]] = (
        "",
        "the mean that types vary around: the ledger's therapy says what carries it",
    )
    table.loc[0, [*SHARES, "n_trials", "n_unconfounded"]] = np.nan
    table[["type_sd", "type_sd_low", "type_sd_high"]] = _learned_sd(node, probability / weight, prior_type_sd)
    return table


def _learned_sd(node: np.ndarray, likelihood: np.ndarray, prior_sd: float) -> tuple[float, float, float]:
    """Posterior mean and 95 % limits of the SD; its log likelihood is a polynomial through the nodes."""
    place = (np.arange(FINE) + 0.5) / FINE
    density = np.exp(legval(2 * place - 1, legfit(node, np.log(likelihood), len(node) - 1)))
    mass = density / density.sum()
    sd = prior_sd * ndtri(0.5 + 0.5 * place)
    low, high = np.interp([0.025, 0.975], np.cumsum(mass), sd)
    return float(mass @ sd), float(low), float(high)
