"""The ledger: for every term, what the data can and cannot say."""

import itertools

import numpy as np
import pandas as pd
import xarray as xr

from pillprocess.decomposition.influence import influence, power_scaling
from pillprocess.gaussian.fit import in_canonical_order
from pillprocess.gaussian.held_out import is_contrast
from pillprocess.gaussian.posterior_columns import design_of
from pillprocess.output.tables import interval_table

RANDOMISED = "randomised within trials"
BETWEEN_CONTRASTS = "between-trial comparison of randomised contrasts"

NAMES = {
    "delta": "drug", "kappa": "drug x therapy", "psi": "therapy", "omega": "waiting list", "chi": "active comparator",
    "epsilon": "expectancy", "beta": "experience", "gamma": "small-study slope",
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
    table = interval_table(posterior[variables]).rename(columns={"estimand": "variable"})
    prior_mean, prior_sd = design["prior_mean"].to_numpy()[scalar], design["prior_sd"].to_numpy()[scalar]
    return table.assign(
        parameter=[f"{NAMES[v]} ({v})" if v in NAMES else v for v in variables], prior_sd=prior_sd, prior_low=prior_mean - 1.96 * prior_sd,
        prior_high=prior_mean + 1.96 * prior_sd, contraction=1 - table["sd"] ** 2 / prior_sd**2,
    )[["parameter", "variable", "prior_sd", "prior_low", "prior_high", "mean", "sd", "ci_low", "ci_high", "contraction"]]  # fmt: skip


def posterior_correlations(idata: xr.DataTree) -> pd.DataFrame:
    """Posterior correlations of the pooled terms, strongest first: terms that the data cannot tell apart.

    Parameters
    ----------
    idata
        A fit of a decomposition, by either route.

    Returns
    -------
    DataFrame with columns ``term``, ``other_term``, ``correlation``, one row per pair.
    """
    variables = contraction(idata)["variable"].tolist()
    draws = {v: idata["posterior"].dataset[v].to_numpy().ravel() for v in variables}
    pairs = [
        (NAMES.get(a, a), NAMES.get(b, b), np.corrcoef(draws[a], draws[b])[0, 1])
        for a, b in itertools.combinations(variables, 2)
    ]
    table = pd.DataFrame(pairs, columns=["term", "other_term", "correlation"])
    return table.sort_values("correlation", key=np.abs, ascending=False, ignore_index=True)


def within_trial_evidence(design: xr.Dataset) -> pd.DataFrame:
    """Say for every pooled term which trials contrast it, which isolate it, and whether all trials together do.

    Returns
    -------
    DataFrame, one row per scalar term: ``variable``, ``trials`` (in which the term differs between arms), ``unconfounded`` (the
    trials that alone estimate it, the other terms left free) and ``estimable`` (whether the within-trial contrasts of all
    trials together do: the term is not in the null space of the arm design).
    """
    is_scalar = design["coefficient_dim"].to_numpy() == ""
    columns = design["X"].isel(coefficient=np.flatnonzero(is_scalar)).to_numpy()
    contrasts = _within_trials(columns, design)
    rows = []
    for i, variable in enumerate(design["coefficient_variable"].to_numpy()[is_scalar]):
        carrying = [name for name, within in contrasts.items() if np.abs(within[:, i]).max(initial=0.0) > 1e-9]
        rows.append(
            {
                "variable": str(variable),
                "trials": carrying,
                "unconfounded": [name for name in carrying if _separable(contrasts[name], i)],
                "estimable": _separable(np.vstack(list(contrasts.values())), i),
            }
        )
    return pd.DataFrame(rows)


def identifiability(idata: xr.DataTree) -> pd.DataFrame:
    """Write the ledger of a fitted decomposition.

    Parameters
    ----------
    idata
        A fit of :func:`pillprocess.decomposition`, by either route.

    Returns
    -------
    DataFrame, one row per pooled term:

    ``term``, ``mean``, ``ci_low``, ``ci_high``
        The estimate.
    ``evidence``
        *randomised within trials*: a trial isolates it. *between-trial comparison of randomised contrasts*: no trial isolates it,
        trials that contrast it in different company do together. *between trials only*: it differs between trials, not within.
        *prior only*: neither.
    ``n_trials``, ``trials``, ``n_unconfounded``, ``unconfounded``
        The trials whose arms differ in the term, and those that isolate it.
    ``carried_by``
        The trials with the most leverage, and how much.
    ``contraction``, ``prior_sensitivity``, ``likelihood_sensitivity``
        See :func:`contraction` and :func:`pillprocess.influence.power_scaling`.
    ``entangled_with``
        The term with the strongest posterior correlation.
    ``verdict``
        One line.

    Raises
    ------
    ValueError
        A design that does not say which rows are arms and which are differences.
    """
    design = in_canonical_order(design_of(idata))
    learned = contraction(idata).set_index("variable")
    if learned.empty:
        return pd.DataFrame(columns=["term", "mean", "ci_low", "ci_high", "evidence", "contraction", "verdict"])
    carried = within_trial_evidence(design).set_index("variable")
    correlations = posterior_correlations(idata)
    leverage = influence(idata)
    scaling = power_scaling(design)
    rows = []
    for variable in learned.index:
        trials, clean, estimable = carried.loc[variable, ["trials", "unconfounded", "estimable"]]
        evidence = _evidence(trials, clean, estimable, design.attrs.get("baseline", "exchangeable"))
        other, r = _partner(correlations, NAMES.get(variable, variable))
        share = float(learned.loc[variable, "contraction"])
        top = leverage[leverage["variable"] == variable].nlargest(3, "leverage")
        rows.append(
            {
                "term": NAMES.get(variable, variable),
                **learned.loc[variable, ["mean", "ci_low", "ci_high"]],
                "evidence": evidence,
                "n_trials": len(trials),
                "n_unconfounded": len(clean),
                "trials": ", ".join(trials),
                "unconfounded": ", ".join(clean),
                "carried_by": ", ".join(
                    f"{t} {100 * w:.0f} %" for t, w in zip(top["trial"], top["leverage"], strict=True)
                ),
                "contraction": share,
                "prior_sensitivity": scaling.loc[variable, "prior"],
                "likelihood_sensitivity": scaling.loc[variable, "likelihood"],
                "entangled_with": f"{other} (r = {r:+.2f})" if other else "",
                "verdict": _verdict(evidence, share, float(scaling.loc[variable, "prior"]), other, r),
            }
        )
    return pd.DataFrame(rows)


def drug_identifiability(idata: xr.DataTree) -> pd.DataFrame:
    """Say drug by drug what its own trials identify: its effect alone, with therapy, and the difference therapy makes.

    Parameters
    ----------
    idata
        A fit whose terms include drug, therapy and drug:therapy.

    Returns
    -------
    DataFrame, one row per drug and quantity: ``drug``, ``quantity``, ``mean``, ``ci_low``, ``ci_high``, ``evidence``, ``trials``.
    Where a drug's own trials do not identify a quantity, its figure is carried over from other drugs by exchangeability.

    Raises
    ------
    ValueError
        The model lacks the interaction.
    """
    design, posterior = in_canonical_order(design_of(idata)), idata["posterior"].dataset
    if "kappa" not in posterior:
        raise ValueError("the fitted model has no drug:therapy term; fit one whose terms include 'drug:therapy'")
    names = [v for v in ("omega", "chi", "psi", "epsilon", "beta", "delta", "kappa") if v in design["coefficient"]]
    columns = design["X"].sel(coefficient=names).to_numpy()
    weights = {
        "alone": {"delta": 1.0},
        "with therapy": {"delta": 1.0, "kappa": 1.0},
        "difference made by therapy": {"kappa": 1.0},
    }
    rows = []
    for drug in posterior["drug"].to_numpy():
        own = {t: w for t, w in _within_trials(columns, design).items() if _gives(design, t, str(drug))}
        main = posterior["delta"] + posterior["v"].sel(drug=drug)
        interaction = posterior["kappa"] + posterior["w"].sel(drug=drug) / 2
        draws = {"alone": main, "with therapy": main + interaction, "difference made by therapy": interaction}
        for quantity, combination in weights.items():
            target = np.array([combination.get(v, 0.0) for v in names])
            alone = [t for t, w in own.items() if _spans(w, target)]
            together = bool(own) and _spans(np.vstack(list(own.values())), target)
            evidence = RANDOMISED if alone else BETWEEN_CONTRASTS if together else "carried over from other drugs"
            row = interval_table(draws[quantity].rename("x")).iloc[0]
            rows.append(
                {
                    "drug": str(drug), "quantity": quantity, "mean": row["mean"], "ci_low": row["ci_low"], "ci_high": row["ci_high"],
                    "evidence": evidence, "trials": ", ".join(alone),
                }
            )  # fmt: skip
    return pd.DataFrame(rows)


def _gives(design: xr.Dataset, trial: str, drug: str) -> bool:
    """Whether a trial has a deviation of this drug: it gave it at more than one dose, 0 included."""
    here = design["trial"].to_numpy() == trial
    return str(design["study_drug"].to_numpy()[here][0]) == drug or f"u[{trial}: {drug}]" in design["effect"].to_numpy()


def _within_trials(columns: np.ndarray, design: xr.Dataset) -> dict[str, np.ndarray]:
    """Each trial's contrasts: arm rows centred on their mean, contrast rows as they are."""
    if not {"kind", "role"} & set(design.coords):
        raise ValueError(
            "the ledger asks what trials compared within themselves, and this design does not say which rows are arms and which are "
            "differences: give gaussian_design role='contrast' for each difference and 'control' or 'active' for each arm"
        )
    trial, contrast = design["trial"].to_numpy(), is_contrast(design)
    out = {}
    for name in dict.fromkeys(trial):
        arms, differences = columns[(trial == name) & ~contrast], columns[(trial == name) & contrast]
        centred = arms - arms.mean(axis=0) if len(arms) > 1 else np.zeros((0, columns.shape[1]))
        out[str(name)] = np.vstack([centred, differences])
    return out


def _separable(within: np.ndarray, i: int) -> bool:
    """Whether these contrasts estimate term i with the other terms left free."""
    return _spans(within, np.eye(within.shape[1])[i])


def _spans(within: np.ndarray, target: np.ndarray) -> bool:
    """Whether a combination of the terms lies in the row space of the contrasts."""
    if not len(within):
        return False
    fitted = within.T @ np.linalg.lstsq(within.T, target, rcond=1e-9)[0]
    return bool(np.allclose(fitted, target, atol=1e-8))


def _evidence(trials: list[str], clean: list[str], estimable: bool, baseline: str) -> str:
    if clean:
        return RANDOMISED
    if estimable:
        return BETWEEN_CONTRASTS
    if baseline == "exchangeable":
        return "between trials only" if not trials else "between trials only; randomised only together with other terms"
    return "prior only" if not trials else "prior only; randomised only together with other terms"


def _partner(correlations: pd.DataFrame, term: str) -> tuple[str, float]:
    """The other term with the strongest posterior correlation, and the correlation."""
    mine = correlations[(correlations["term"] == term) | (correlations["other_term"] == term)]
    if mine.empty:
        return "", 0.0
    first = mine.iloc[0]
    return str(first["other_term"] if first["term"] == term else first["term"]), float(first["correlation"])


def _verdict(evidence: str, share: float, prior: float, other: str, r: float) -> str:
    if share < 0.2:
        return "the prior answers: the data say almost nothing"
    parts = []
    if evidence == RANDOMISED:
        parts.append(
            "well informed by randomised contrasts" if share > 0.8 else "partly informed by randomised contrasts"
        )
    elif evidence == BETWEEN_CONTRASTS:
        parts.append("no trial isolates it: it rests on differences between trials")
    elif evidence.startswith("between"):
        parts.append("rests on differences between trials, open to everything else in which they differ")
    else:
        parts.append("rests on the prior")
    if prior > 0.1:
        parts.append(f"the prior speaks ({prior:.2f} SD per doubling)")
    if abs(r) > 0.4:
        parts.append(f"{'cannot be told apart from' if abs(r) > 0.7 else 'partly traded off against'} {other}")
    return "; ".join(parts)
