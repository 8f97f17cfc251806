"""The ledger: for every term, what the data can and cannot say."""

import itertools

import numpy as np
import pandas as pd
import xarray as xr

from pillprocess.draws import design_of
from pillprocess.tables import effect_table

NAMES = {
    "delta": "drug", "kappa": "drug x therapy", "psi": "therapy", "omega": "waiting list", "chi": "active comparator",
    "epsilon": "expectancy", "beta": "experience",
}  # fmt: skip


def contraction(idata: xr.DataTree) -> pd.DataFrame:
    """Compare prior and posterior of every pooled term.

    Parameters
    ----------
    idata
        A fit of a design, by either route.

    Returns
    -------
    DataFrame, one row per scalar coefficient: ``parameter``, ``variable``, ``prior_sd``, ``prior_low``, ``prior_high``,
    ``mean``, ``sd``, ``ci_low``, ``ci_high`` and ``contraction``, 1 - posterior variance / prior variance: 0 where the
    data taught nothing, 1 where the prior does not matter.
    """
    design, posterior = design_of(idata), idata["posterior"].dataset
    scalar = design["coefficient_dim"].to_numpy() == ""
    variables = [str(v) for v in design["coefficient_variable"].to_numpy()[scalar]]
    table = effect_table(posterior[variables]).rename(columns={"estimand": "variable"})
    prior_mean, prior_sd = design["prior_mean"].to_numpy()[scalar], design["prior_sd"].to_numpy()[scalar]
    return table.assign(
        parameter=[f"{NAMES[v]} ({v})" for v in variables], prior_sd=prior_sd, prior_low=prior_mean - 1.96 * prior_sd,
        prior_high=prior_mean + 1.96 * prior_sd, contraction=1 - table["sd"] ** 2 / prior_sd**2,
    )[["parameter", "variable", "prior_sd", "prior_low", "prior_high", "mean", "sd", "ci_low", "ci_high", "contraction"]]  # fmt: skip


def posterior_correlations(idata: xr.DataTree) -> pd.DataFrame:
    """Posterior correlations of the pooled terms, strongest first: terms that the data cannot tell apart."""
    variables = contraction(idata)["variable"].tolist()
    draws = {v: idata["posterior"].dataset[v].to_numpy().ravel() for v in variables}
    pairs = [
        (NAMES[a], NAMES[b], np.corrcoef(draws[a], draws[b])[0, 1]) for a, b in itertools.combinations(variables, 2)
    ]
    table = pd.DataFrame(pairs, columns=["term", "other_term", "correlation"])
    return table.sort_values("correlation", key=np.abs, ascending=False, ignore_index=True)


def within_trial_evidence(design: xr.Dataset) -> pd.DataFrame:
    """List the trials in which a term differs between arms, and those in which it does so while the drug does not.

    Returns
    -------
    DataFrame, one row per scalar term: ``variable``, ``trials`` (in which the term differs between arms) and
    ``unconfounded`` (the trials in which it differs along a contrast that leaves the other terms alone).
    """
    is_scalar = design["coefficient_dim"].to_numpy() == ""
    columns = design["X"].isel(coefficient=np.flatnonzero(is_scalar))
    variables = design["coefficient_variable"].to_numpy()[is_scalar]
    trial, kind = design["trial"].to_numpy(), design["kind"].to_numpy()
    rows = []
    for i, variable in enumerate(variables):
        carrying, clean = [], []
        for name in dict.fromkeys(trial):
            within = _within(columns.to_numpy()[trial == name], kind[trial == name])
            if np.abs(within[:, i]).max(initial=0.0) < 1e-9:
                continue
            carrying.append(str(name))
            if _separable(within, i):
                clean.append(str(name))
        rows.append({"variable": str(variable), "trials": carrying, "unconfounded": clean})
    return pd.DataFrame(rows, columns=["variable", "trials", "unconfounded"])


def identifiability(idata: xr.DataTree) -> pd.DataFrame:
    """Write the ledger of a fitted decomposition.

    Parameters
    ----------
    idata
        A fit of :func:`pillprocess.decomposition`.

    Returns
    -------
    DataFrame, one row per pooled term: ``term``, ``mean``, ``ci_low``, ``ci_high``, ``evidence`` (randomised
    within trials / randomised only together with another
    term / between trials only / prior only), ``n_trials`` and ``trials`` that carry a within-trial contrast of it,
    ``unconfounded`` ones among them, ``contraction``, ``entangled_with`` (the other term with the largest posterior
    correlation, and its value) and ``verdict``.
    """
    design = design_of(idata)
    learned = contraction(idata).set_index("variable")
    carried = within_trial_evidence(design).set_index("variable")
    correlations = posterior_correlations(idata)
    rows = []
    for variable in learned.index:
        trials, clean = carried.loc[variable, "trials"], carried.loc[variable, "unconfounded"]
        share = float(learned.loc[variable, "contraction"])
        if clean:
            evidence = "randomised within trials"
        elif trials:
            evidence = "randomised only together with another term"
        else:
            evidence = "between trials only" if design.attrs["baseline"] == "exchangeable" else "prior only"
        mine = correlations[(correlations["term"] == NAMES[variable]) | (correlations["other_term"] == NAMES[variable])]
        partner = mine.iloc[0] if len(mine) else None
        other = (
            ""
            if partner is None
            else str(partner["other_term"] if partner["term"] == NAMES[variable] else partner["term"])
        )
        r = 0.0 if partner is None else float(partner["correlation"])
        rows.append(
            {
                "term": NAMES[variable], **learned.loc[variable, ["mean", "ci_low", "ci_high"]],
                "evidence": evidence, "n_trials": len(trials), "n_unconfounded": len(clean),
                "trials": ", ".join(trials), "unconfounded": ", ".join(clean), "contraction": share,
                "entangled_with": f"{other} (r = {r:+.2f})" if other else "", "verdict": _verdict(evidence, share, other, r),
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def _within(columns: np.ndarray, kind: np.ndarray) -> np.ndarray:
    """A trial's contrasts: arm rows centred on their mean, contrast rows as they are."""
    arms = columns[kind == "arm"]
    centred = arms - arms.mean(axis=0) if len(arms) > 1 else np.zeros((0, columns.shape[1]))
    return np.vstack([centred, columns[kind == "contrast"]])


def _separable(within: np.ndarray, i: int) -> bool:
    """Whether the trial alone estimates term i: its column is not in the span of the other columns."""
    others = np.delete(within, i, axis=1)
    return bool(np.linalg.matrix_rank(within, tol=1e-8) > np.linalg.matrix_rank(others, tol=1e-8))


def _verdict(evidence: str, share: float, other: str, r: float) -> str:
    if share < 0.2:
        return "the prior answers: the data say almost nothing"
    entangled = (
        f"; cannot be told apart from {other}"
        if abs(r) > 0.7
        else f"; partly traded off against {other}"
        if abs(r) > 0.4
        else ""
    )
    if evidence == "between trials only":
        return f"rests on differences between trials, open to everything else in which they differ{entangled}"
    if evidence == "prior only":
        return f"rests on the prior{entangled}"
    if evidence == "randomised only together with another term":
        return f"no trial isolates it{entangled}"
    return ("well informed" if share > 0.8 else "partly informed") + entangled
