"""The ledger: for every term, what the data can and cannot say."""

import itertools

import numpy as np
import pandas as pd
import xarray as xr

from pillprocess.decomposition.influence import influence, power_scaling
from pillprocess.decomposition.information import information_shares
from pillprocess.decomposition.within_trials import spans, within_trial_evidence, within_trials
from pillprocess.gaussian.fit import in_canonical_order
from pillprocess.gaussian.posterior_columns import design_of
from pillprocess.output.tables import interval_table

RANDOMISED = "randomised within trials"
BETWEEN_CONTRASTS = "between-trial comparison of randomised contrasts"
ELSEWHERE = "randomised elsewhere, transported"

ALL_BUT = 0.99
UNBLINDED = "drug with its unblinding"
NO_SPREAD = {"tau": "", "tau_mean": np.nan, "tau_low": np.nan, "tau_high": np.nan, "tau_prior": "", "tau_trials": 0}
TAU_COLUMNS = list(NO_SPREAD)

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
    names = [f"{_full_name(design, v)} ({v})" if v in NAMES else v for v in variables]
    return table.assign(
        parameter=names, prior_sd=prior_sd, prior_low=prior_mean - 1.96 * prior_sd,
        prior_high=prior_mean + 1.96 * prior_sd, contraction=1 - table["sd"] ** 2 / prior_sd**2,
    )[["parameter", "variable", "prior_sd", "prior_low", "prior_high", "mean", "sd", "ci_low", "ci_high", "contraction"]]  # fmt: skip


def _full_name(design: xr.Dataset, variable: str) -> str:
    """A term's name; without belief in the model the drug's effect includes what knowing that one has had it does."""
    belief = "expectancy" in design.attrs.get("terms", ["expectancy"])
    return NAMES[variable] if belief or variable != "delta" else UNBLINDED


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
        The kind with the largest share of the information. *randomised within trials*: trials isolate it. *between-trial
        comparison of randomised contrasts*: trials that contrast it in different company do together. *between trials*: it
        differs between trials. *prior*: neither (*randomised elsewhere, transported* where the prior is mostly what trials of other
        treatments say). The last two with *only* where nothing else speaks, *mostly* else.
    ``share_isolated``, ``share_contrasts``, ``share_between``, ``share_prior``
        The shares: see :mod:`pillprocess.decomposition.information`. They add up to 1.
    ``n_trials``, ``trials``, ``n_unconfounded``, ``unconfounded``
        The trials whose arms differ in the term, and those that isolate it.
    ``carried_by``
        The trials with the most leverage, and how much.
    ``contraction``, ``prior_sensitivity``, ``likelihood_sensitivity``
        See :func:`contraction` and :func:`pillprocess.influence.power_scaling`.
    ``entangled_with``
        The term with the strongest posterior correlation.
    ``tau``, ``tau_mean``, ``tau_low``, ``tau_high``, ``tau_prior``, ``tau_trials``
        The SD of the term's effect between trials, by name, its prior, and the number of trials that inform it.
    ``verdict``
        One line, from the shares.

    Raises
    ------
    ValueError
        A design that does not say which rows are arms and which are differences.

    Examples
    --------
    >>> import pillprocess as pp
    >>> evidence = pp.load_evidence()
    >>> arms = pp.arm_changes(evidence)
    >>> few = arms[arms["trial"].isin(["back2024", "carhartharris2021", "davis2021", "goodwin2022", "raison2023"])]
    >>> ledger = pp.identifiability(pp.fit(pp.decomposition_design(few), seed=1))
    >>> ledger["term"].tolist()
    ['waiting list', 'active comparator', 'therapy', 'drug', 'drug x therapy']
    """
    design = in_canonical_order(design_of(idata))
    learned = contraction(idata).set_index("variable")
    if learned.empty:
        return pd.DataFrame(columns=["term", "mean", "ci_low", "ci_high", "evidence", "contraction", "verdict"])
    carried = within_trial_evidence(design).set_index("variable")
    correlations = posterior_correlations(idata)
    leverage = influence(idata)
    scaling = power_scaling(design)
    information = information_shares(idata)
    between = _heterogeneity(design, idata["posterior"].dataset)
    term_of = dict(zip(design["coefficient_variable"].to_numpy(), design["coefficient_term"].to_numpy(), strict=True))
    rows = []
    for variable in learned.index:
        trials, clean = carried.loc[variable, ["trials", "unconfounded"]]
        shares = information.loc[variable]
        evidence = evidence_of(variable, shares, design)
        spread = between.loc[term_of[variable]] if term_of[variable] in between.index else NO_SPREAD
        other, r = _partner(correlations, NAMES.get(variable, variable))
        top = leverage[(leverage["variable"] == variable) & (leverage["leverage"] >= 0.005)].nlargest(3, "leverage")
        rows.append(
            {
                "term": NAMES.get(variable, variable),
                **learned.loc[variable, ["mean", "ci_low", "ci_high"]],
                "evidence": evidence,
                **shares,
                "n_trials": len(trials),
                "n_unconfounded": len(clean),
                "trials": ", ".join(trials),
                "unconfounded": ", ".join(clean),
                "carried_by": ", ".join(
                    f"{t} {100 * w:.0f} %" for t, w in zip(top["trial"], top["leverage"], strict=True)
                ),
                "contraction": float(learned.loc[variable, "contraction"]),
                "prior_sensitivity": scaling.loc[variable, "prior"],
                "likelihood_sensitivity": scaling.loc[variable, "likelihood"],
                "entangled_with": f"{other} (r = {r:+.2f})" if other else "",
                **spread,
                "verdict": verdict(evidence, shares, float(scaling.loc[variable, "prior"]), other, r),
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
        own = {t: w for t, w in within_trials(columns, design).items() if _gives(design, t, str(drug))}
        main = posterior["delta"] + posterior["v"].sel(drug=drug)
        interaction = posterior["kappa"] + posterior["w"].sel(drug=drug) / 2
        draws = {"alone": main, "with therapy": main + interaction, "difference made by therapy": interaction}
        for quantity, combination in weights.items():
            target = np.array([combination.get(v, 0.0) for v in names])
            alone = [t for t, w in own.items() if spans(w, target)]
            together = bool(own) and spans(np.vstack(list(own.values())), target)
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


def evidence_of(variable: str, shares: pd.Series, design: xr.Dataset) -> str:
    """The kind of evidence behind a term: that of its shares, or trials of other treatments where these made most of its prior."""
    kind = kind_of_evidence(shares)
    return ELSEWHERE if kind.startswith("prior") and variable in design.attrs.get("informed", ()) else kind


def kind_of_evidence(shares: pd.Series) -> str:
    """The kind of evidence with the largest share of the information; ``only`` where it has all of it."""
    isolated, contrasts, between, prior = shares
    if prior == max(shares):
        return "prior only" if prior > ALL_BUT else "prior, mostly"
    if between == max(shares):
        return "between trials only" if isolated + contrasts < 1 - ALL_BUT else "between trials, mostly"
    return RANDOMISED if isolated > contrasts else BETWEEN_CONTRASTS


def _partner(correlations: pd.DataFrame, term: str) -> tuple[str, float]:
    """The other term with the strongest posterior correlation, and the correlation."""
    mine = correlations[(correlations["term"] == term) | (correlations["other_term"] == term)]
    if mine.empty:
        return "", 0.0
    first = mine.iloc[0]
    return str(first["other_term"] if first["term"] == term else first["term"]), float(first["correlation"])


def verdict(evidence: str, shares: pd.Series, prior: float, other: str, r: float) -> str:
    """One line that follows from the shares of information alone."""
    if evidence == ELSEWHERE:
        return f"rests on trials of other treatments ({shares['share_prior']:.0%} of the information), as far as they carry over"
    if shares["share_prior"] > 0.8:
        return "the prior answers: the data say almost nothing"
    parts = []
    if evidence == RANDOMISED:
        well = shares["share_prior"] < 0.2
        parts.append(f"{'well' if well else 'partly'} informed by randomised contrasts")
    elif evidence == BETWEEN_CONTRASTS:
        parts.append("hardly any trial isolates it: it rests on differences between trials in what they randomised")
    elif evidence.startswith("between"):
        parts.append("rests on differences between trials, open to everything else in which they differ")
    else:
        parts.append("rests on the prior")
    if prior > 0.1:
        parts.append(f"the prior speaks ({prior:.2f} SD per doubling)")
    if abs(r) > 0.4:
        parts.append(f"{'cannot be told apart from' if abs(r) > 0.7 else 'partly traded off against'} {other}")
    return "; ".join(parts)


def _heterogeneity(design: xr.Dataset, posterior: xr.Dataset) -> pd.DataFrame:
    """By term: the SD of its effect between trials, its interval and prior, and the trials that can inform it."""
    mean = design["effect_mean"].to_numpy() if "effect_mean" in design else np.full(design.sizes["effect"], "")
    scale, terms = design["effect_scale"].to_numpy(), design["effect_term"].to_numpy()
    rows = {}
    for name in dict.fromkeys(scale[mean == ""].tolist()):
        here = np.flatnonzero((scale == name) & (mean == ""))
        within = within_trials(design["Z"].to_numpy()[:, here], design)
        prior = design.sel(scale=name)
        numbers = [float(prior[f"prior_scale_{end}"]) for end in "ab"]
        low, high = np.quantile(posterior[name], [0.025, 0.975])
        for term in dict.fromkeys(terms[here].tolist()):
            rows[term] = {
                "tau": name, "tau_mean": float(posterior[name].mean()), "tau_low": low, "tau_high": high,
                "tau_prior": f"{prior['prior_scale_family'].item()}({', '.join(f'{n:g}' for n in numbers if n)})",
                "tau_trials": sum(np.abs(w).max(initial=0.0) > 1e-9 for w in within.values()),
            }  # fmt: skip
    return pd.DataFrame.from_dict(rows, orient="index", columns=TAU_COLUMNS)
