"""The reporting record: items of BARG, PRISMA-NMA and AGReMA, filled from an analysis."""

import pandas as pd

from pillprocess.evidence.edition import edition_of
from pillprocess.evidence.tables import Evidence
from pillprocess.output.visual_style import in_drawn_order
from pillprocess.review.analysis import Analysis
from pillprocess.review.checklists import checklists
from pillprocess.review.mediation_record import mediation_record

NO_MEDIATION = "no mediation analysis: the synthesis was not run"


def reporting_record(analysis: Analysis, evidence: Evidence, *, seed: int) -> pd.DataFrame:
    """Fill the items of the guidelines from the fitted objects; what they cannot say stays empty.

    Returns
    -------
    DataFrame with columns ``guideline``, ``item``, ``asks``, ``record`` (blank where nothing can be said), ``section`` of the report
    that answers the item, and ``open``: why it is blank, where it is.
    """
    filled = {
        "BARG": _barg(analysis, seed), "PRISMA-NMA": _prisma(analysis, evidence),
        "AGReMA": mediation_record(analysis.tables, seed) if "synthesis" in analysis.fits else {},
    }  # fmt: skip
    table = checklists()
    table.insert(
        3, "record", [filled[g].get(item, "") for g, item in zip(table["guideline"], table["item"], strict=True)]
    )
    if not filled["AGReMA"]:
        table.loc[table["guideline"] == "AGReMA", "open"] = NO_MEDIATION
    answered = table["record"] != ""
    table["section"], table["open"] = table["section"].where(answered, ""), table["open"].mask(answered, "")
    return table


def _barg(analysis: Analysis, seed: int) -> dict[str, str]:
    tables, headline = analysis.tables, analysis.fits["headline"]
    design, posterior = headline["constant_data"].dataset, headline["posterior"].dataset
    check, prior_check, choices = tables["predictive_check"], tables["prior_predictive_check"], tables["sensitivity"]
    fitted, sampler = design.attrs, headline.attrs
    drug = choices["drug"].dropna()
    return {
        "preamble A": "Few, small trials in a hierarchy: priors are stated, uncertainty of heterogeneity is carried through.",
        "preamble B": "Estimation: how the change of each arm splits over terms; comparison of the review's hypotheses by prediction.",
        "1A": f"Predicted: {fitted['outcome']}, {design.sizes['row']} rows. Predictors: {', '.join(fitted['terms'])}, waiting list, "
        "active comparator, dose.",
        "1B": f"Gaussian, given standard errors and the covariance of contrasts; baselines {fitted['baseline']}; uncontrolled trials: "
        f"{fitted['single_arm']} baseline; dose {fitted['dose_shape']}; therapy by {fitted['therapy_measure']}. Drugs and trials deviate.",
        "1C": "; ".join(f"{r.parameter} Normal(0, {r.prior_sd:g})" for r in tables["terms"].itertuples())
        + "; " + "; ".join(f"{r['name']} {r['prior']}" for r in scale_priors(analysis)),
        "1D": "The formula in the section on models; the docstring of decomposition.",
        "1E": f"{int(prior_check['inside'].sum())} of {len(prior_check)} rows inside their 95 % prior predictive interval.",
        "2A": f"PyMC {sampler['pymc']}, {sampler['sampler']}; every version under Reproducibility.",
        "2B": f"Largest R-hat {tables['convergence']['r_hat'].max():.3f} over {len(tables['convergence'])} quantities; "
        f"{int(headline['sample_stats']['diverging'].sum())} divergent transitions.",
        "2C": f"{posterior.sizes['chain']} chains of {posterior.sizes['draw']} draws; smallest effective sample size "
        f"{tables['convergence']['ess_bulk'].min():.0f} (bulk), {tables['convergence']['ess_tail'].min():.0f} (tail).",
        "2D": "The same model in closed form, with quadrature over the heterogeneity; largest difference "
        f"{tables['routes']['difference_in_sd'].abs().max():.2f} posterior SDs.",
        "3A": f"{int(check['inside'].sum())} of {len(check)} rows inside their 95 % posterior predictive interval.",
        "3B": "Means, SDs and 95 % equal-tailed intervals in the section on results; draws in posterior/headline.nc.",
        "3C": "Exact log marginal likelihoods; posterior probabilities with all models equally probable before: "
        + ", ".join(f"{r.model} {r.posterior_probability:.3f}" for r in tables["hypotheses"].itertuples()) + ".",
        "5A": _moved(choices, "main terms' prior SD"),
        "5B": _moved(choices, "interaction's prior SD"),
        "5C": f"{_moved(choices, 'heterogeneity prior')} Over all {len(choices)} choices the drug term lies between {drug.min():.2f} "
        f"and {drug.max():.2f}.",
        "6A": "pyproject.toml; installed and run by one command of the README.",
        "6B": f"pillprocess reproduce --seed {seed}; tables in data/ with their checksum.",
        "6C": "Every table names its columns; data/README.md is the dictionary.",
        "6D": "tables/, figures/ and posterior/ beside this report.",
        "6E": "The tests of the repository run the same command from a clean checkout.",
        "6F": f"Seed {seed}; the closed form needs no sampler.",
    }  # fmt: skip


def _prisma(analysis: Analysis, evidence: Evidence) -> dict[str, str]:
    tables, rows = analysis.tables, analysis.rows
    trials = evidence.trials
    left_out = trials[trials["include"] == 0]
    between = tables["heterogeneity"].set_index("estimand")["mean"]
    across = {}
    if "bias_inclusion" in tables:
        factor = tables["bias_inclusion"].set_index("component").loc["any bias", "bayes_factor"]
        across = {
            "15": "Small-study effects and selection by significance, averaged over models; no rating by raters.",
            "22": f"The section on small and selected trials; Bayes factor for any such effect {factor:.2g}.",
        }
    return across | {
        "1": "The pill and the process: a Bayesian component network meta-analysis.",
        "3": "Torrado Pacheco & Moghaddam 2024, doi:10.1172/JCI180217.",
        "4": f"The drug, therapy and their interaction in trials of {', '.join(in_drawn_order(rows['study_drug']))} against "
        "their controls, on symptoms.",
        "7": f"Evidence: {edition_of(evidence)}; editions.csv says what was searched.",
        "10": f"Every figure with the address it was read at; {len(evidence.doubts)} known doubts listed by trial.",
        "11": "data/README.md lists every column; missing SDs are derived and marked in se_from.",
        "S1": "Arms are nodes by drug, therapy and kind of control; drawn in the section on evidence.",
        "13": "Difference of change in reference SDs; mean and 95 % interval.",
        "14": "The section on models.",
        "S2": "Trial deviations from the additive structure; the ledger separates randomised from between-trial evidence.",
        "16": f"{len(tables['sensitivity'])} choices, every trial left out in turn.",
        "17": f"{len(trials)} studies in the tables, {int(trials['include'].sum())} included, {len(left_out)} left out with reasons "
        f"({int(left_out['retracted'].sum())} retracted); {rows['trial'].nunique()} in the model, {len(tables['set_aside'])} arms and "
        "differences set aside with reasons.",
        "S3": "The network figure.",
        "S4": f"{rows['trial'].nunique()} trials, {int((rows['kind'] == 'arm').sum())} arms, "
        f"{int((rows['kind'] == 'contrast').sum())} differences; "
        f"{rows.loc[rows['design'] == 'single_arm', 'trial'].nunique()} trials without a control.",
        "18": "Every row of the model, in the section on evidence.",
        "20": "The forest plot; trial_effects.csv.",
        "21": f"The section on results; heterogeneity between trials {between['tau']:.2f} SD, between drugs {between['tau_drug']:.2f} SD.",
        "S5": "The ledger and the sensitivity to free baselines.",
        "23": "The section on sensitivity.",
        "24": "The section on the answer.",
        "25": "The section on limitations.",
    }  # fmt: skip


def scale_priors(analysis: Analysis) -> list[dict[str, str]]:
    """Prior and posterior of every heterogeneity SD of the headline model."""
    design = analysis.fits["headline"]["constant_data"].dataset
    between = analysis.tables["heterogeneity"].set_index("estimand")
    rows = []
    for i, name in enumerate(map(str, design["prior_scale_family"][design["prior_scale_family"].dims[0]].to_numpy())):
        family = str(design["prior_scale_family"].to_numpy()[i])
        a, b = (float(design[f"prior_scale_{letter}"].to_numpy()[i]) for letter in "ab")
        prior = f"HalfNormal({a:g})" if family == "halfnormal" else f"variance InvGamma({a:g}, {b:g})"
        row = between.loc[name]
        text = f"{row['mean']:.2f} [{row['ci_low']:.2f}, {row['ci_high']:.2f}]"
        rows.append({"name": f"heterogeneity ({name})", "prior": prior, "posterior": text})
    return rows


def _moved(choices: pd.DataFrame, words: str) -> str:
    """The drug term under the choices whose name holds the words, beside the headline."""
    named = choices[choices["choice"].str.contains(words, regex=False)]
    headline = choices.loc[choices["choice"] == "headline", "drug"].iloc[0]
    moved = "; ".join(f"{r.choice}: {r.drug:.2f}" for r in named.itertuples())
    return f"Drug term {headline:.2f} in the headline; {moved}."
