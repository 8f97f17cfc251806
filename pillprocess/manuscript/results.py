"""The results of the paper: sentences, tables and figures, every number that of a table of the results folder."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pandas as pd

from pillprocess.findings.summary import QUANTITIES
from pillprocess.findings.words import opening_sentence
from pillprocess.manuscript.document import (
    Block,
    Figure,
    Heading,
    Open,
    Row,
    Text,
    ends,
    minus,
    table,
    written,
)
from pillprocess.manuscript.methods import model_facts

SETTING = {0.0: "alone", 1.0: "with therapy"}
SDS = "in reference SDs; negative favours the drug; mean [95 % interval]"

type Tables = Mapping[str, pd.DataFrame]


def results(tables: Tables, figures: Path) -> list[Block]:
    """Write the results.

    Parameters
    ----------
    tables
        Of the main job, by name, as :func:`pillprocess.read_results` gives them.
    figures
        Folder with the figures as PNG.

    Returns
    -------
    Blocks, from the heading Results on. What the analysis did not make is not there.
    """

    def figure(name: str, caption: str) -> list[Block]:
        file = figures / f"{name}.png"
        return [Figure(file, caption)] if file.is_file() else []

    return [
        Heading(1, "Results"), *_trials(tables, figure), *_effects(tables, figure), *_terms(tables), *_belief(tables),
        *_small_study(tables, figure), *_accounts(tables), *_experience(tables, figure), *_dose(tables, figure),
        *_duration(tables, figure), *_sensitivity(tables),
    ]  # fmt: skip


def _trials(tables: Tables, figure: Callable[[str, str], list[Block]]) -> list[Block]:
    counts = table(
        tables["model_counts"],
        "Trials, arms, published differences and people of the headline model, by drug and condition.",
        {"Drug": "study_drug", "Condition": "condition", "#Trials": "trials", "#Arms": "arms", "#Differences": "differences",
         "#People": "people"},
    )  # fmt: skip
    facts = model_facts(tables["rows"])
    return [
        Heading(2, "Trials"),
        Text(f"{facts['trials']} trials enter, with {facts['people']} people in arms. The figure shows what was compared with what."),
        counts,
        *figure("network", "The network: kinds of arms, joined where a trial compares them."),
    ]  # fmt: skip


def _effects(tables: Tables, figure: Callable[[str, str], list[Block]]) -> list[Block]:
    summary = tables["summary_of_findings"].assign(quantity=lambda t: t["quantity"].map(QUANTITIES))
    effects = tables["drug_effects"].assign(given=lambda t: t["therapy"].map(SETTING))
    return [
        Heading(2, "Effects of the drugs"), Text(minus(f"{opening_sentence(tables['summary_of_findings'])}")),
        table(summary, f"Summary of findings for each drug, in the setting most of its trials had. SD: {SDS}.", {
            "Drug": "drug", "Quantity": "quantity", "#SD": _in_sds, "#Points or people": _in_points, "#Trials": "trials",
            "Certainty": "certainty", "What identifies it": "evidence",
        }),
        table(effects, f"Effect of each drug at its reference dose against its control, {SDS}. A new trial adds the trials' spread.", {
            "Drug": "drug", "Given": "given", "#Trials": "trials", "#Effect": written, "#P(better)": lambda r: f"{r['p_below']:.3f}",
            "Kind": lambda r: "pooled" if r["kind"] == "pooled" else "new trial", "Evidence": "evidence",
        }),
        *figure("drug_effects", "The drug's effect in each controlled trial by the model (squares), its own contrast (rings), and pooled "
                "and predictive rows (diamonds)."),
        *figure("contributions", "The expected change of each arm, split over the terms; ring: observed."),
    ]  # fmt: skip


def _in_sds(row: Row) -> str:
    return written(row) if row["unit"] == "reference SD" else ""


def _in_points(row: Row) -> str:
    if row["unit"] == "reference SD":
        return _rounded(row, ("points", "points_low", "points_high"), 1, f" {row['instrument']}")
    return _rounded(row, ("mean", "ci_low", "ci_high"), 0 if row["unit"] == "responders in 100" else 1, "")


def _rounded(row: Row, names: tuple[str, str, str], digits: int, unit: str) -> str:
    """An estimate with its interval where it has one, to so many digits."""
    values = [float(row[name]) for name in names]
    if pd.isna(values[0]):
        return ""
    middle, low, high = (f"{round(v, digits) + 0.0:.{digits}f}" for v in values)
    return minus(f"{middle}{unit}" if pd.isna(values[1]) else f"{middle} [{low}, {high}]{unit}")


def _terms(tables: Tables) -> list[Block]:
    spread = tables["heterogeneity"]
    return [
        Heading(2, "Terms, and what identifies them"),
        table(tables["terms"], f"Terms of the headline model, {SDS.replace('favours the drug', 'is improvement')}.", {
            "Term": "parameter", "#Prior SD": lambda r: f"{r['prior_sd']:.2f}", "#Posterior": written,
            "#Learned": lambda r: f"{100 * r['contraction']:.0f} %",
        }),
        table(spread, "SDs between trials (tau), drugs, courses and contexts; mean [95 % interval].", {
            "SD": "estimand", "#Posterior": written}),
        table(tables["ledger"], "The ledger: what each term rests on, as shares of its information.", {
            "Term": "term", "Evidence": "evidence", **{f"#{name}": _percent(f"share_{column}") for name, column in (
                ("isolated", "isolated"), ("randomised with others", "contrasts"), ("between trials", "between"), ("prior", "prior"))},
            "Verdict": "verdict",
        }),
    ]  # fmt: skip


def _percent(column: str) -> Callable[[Row], str]:
    return lambda row: f"{100 * row[column]:.0f} %"


def _belief(tables: Tables) -> list[Block]:
    pair, shares = tables["belief_pair"], tables["shares"]
    out: list[Block] = [Heading(2, "Belief")]
    if len(shares):
        first = shares.iloc[0]
        named = shares.assign(model=shares["belief"].map({True: "belief held equal", False: "without belief"}))
        out.append(table(named, f"Share of the expected change that is not the drug's, in {first['arms']} drug arms of {first['trials']} "
                         "controlled trials, under either convention for the interaction.", {
                             "Convention": "convention", "Model": "model", "#Share": written}))  # fmt: skip
    named = pair.assign(given=pair["therapy"].map(SETTING).fillna(""))
    out.append(table(named, f"Two models of equal rank, {SDS}.", {
        "Model": "model", "Quantity": "quantity", "Drug": "drug", "Given": "given", "#Estimate": written}))  # fmt: skip
    return out


def _small_study(tables: Tables, figure: Callable[[str, str], list[Block]]) -> list[Block]:
    if "bias_effects" not in tables:
        return []
    effects = tables["bias_effects"]
    averaged = effects[(effects["dose"] == "averaged") & ~effects["estimate"].str.contains("chance")]
    return [
        Heading(2, "Small and selected trials"),
        table(averaged, f"Each drug as pooled, and allowing for small-study effects and selection, {SDS}.", {
            "Drug": "drug", "Estimate": "estimate", "#Trials": "trials", "#Effect": written}),
        table(tables["bias_inclusion"], "How strongly the trials speak for each component.", {
            "Component": "component", "#Prior": lambda r: f"{r['prior']:.2f}", "#Posterior": lambda r: f"{r['posterior']:.2f}",
            "#Bayes factor": lambda r: f"{r['bayes_factor']:.2g}"}),
        *figure("funnels", "Differences from control against their standard errors, with the curves the models imply."),
    ]  # fmt: skip


def _accounts(tables: Tables) -> list[Block]:
    named = tables["hypotheses"].assign(
        model=lambda t: t["model"].str.replace("_", " "), terms=lambda t: t["terms"].fillna("none")
    )
    return [
        Heading(2, "Which account predicts trials it has not seen?"),
        table(named, "Exact leave-one-trial-out prediction. A difference below twice its standard error decides nothing.", {
            "Account": "model", "Terms": "terms", "#elpd": lambda r: minus(f"{r['elpd']:.1f}"),
            "#Difference (SE)": lambda r: minus(f"{r['elpd_diff']:.1f} ({r['se_diff']:.1f})"), "#Weight": lambda r: f"{r['weight']:.2f}",
            "#Probability": lambda r: f"{r['posterior_probability']:.3f}"}),
    ]  # fmt: skip


def _experience(tables: Tables, figure: Callable[[str, str], list[Block]]) -> list[Block]:
    if "synthesis_effects" not in tables:
        return [
            Heading(2, "Experience"),
            Open("the synthesis of all kinds of evidence was not run (pillprocess reproduce runs it)."),
        ]
    paths = tables["synthesis_effects"].assign(
        given=lambda t: t["therapy"].map(SETTING), path=lambda t: t["path"].str.replace("_", " ")
    )
    paths = paths[(paths["n_trials"] > 0) & (paths["ci_low"] != paths["ci_high"])]
    return [
        Heading(2, "Experience"),
        table(paths, f"Effect by path in the joint model, settings that trials had, {SDS}.", {
            "Drug": "drug", "Given": "given", "Path": "path", "#Trials": "n_trials", "#Effect": written}),
        table(tables["synthesis_causal_share"], "The association of experience and improvement within arms, and the probability that more "
              "than half of it is causal (before the data in brackets).", {
                  "Drug": "drug", "#Correlation": ends("association", "association_low", "association_high"),
                  "#P(half causal)": lambda r: f"{r['p_half']:.2f} ({r['prior_p_half']:.2f})"}),
        *figure("synthesis_effects", "Each drug's effect in all and by path. Open: no such trial, carried over by the model."),
        *figure("synthesis_curve", "From none of the association causal (left) to all of it (right): how the effect is split."),
    ]  # fmt: skip


def _dose(tables: Tables, figure: Callable[[str, str], list[Block]]) -> list[Block]:
    if "effect_low" not in tables.get("dose_half_maximal", pd.DataFrame()):
        return []
    return [
        Heading(2, "Dose"),
        table(tables["dose_half_maximal"], "Half-maximal dose of each drug's curve, as a part of its reference dose, and its prior: where "
              "the two agree, trials said nothing. Median [95 % interval].", {
                  "Drug": "drug", "Reference dose": "reference_dose", "#Trials": "trials", "#Compared doses": "dose_trials",
                  "#Effect": ends("effect", "effect_low", "effect_high"), "#Prior": ends("prior", "prior_low", "prior_high"),
                  "#Experience": ends("experience", "experience_low", "experience_high")}),
        *figure("dose_response", "The effect by dose with its band, and the trials' differences; dashed: the acute experience, scaled."),
    ]  # fmt: skip


def _duration(tables: Tables, figure: Callable[[str, str], list[Block]]) -> list[Block]:
    if "day" not in tables.get("time_effects", pd.DataFrame()):
        return []
    return [
        Heading(2, "Duration"),
        Text("The effect by the day of measurement; where no trial of a drug measured, the model carries it on."),
        *figure("time_course", "The drug effect over days after the last dose, and the trials' differences."),
        table(tables["half_lives"].assign(given=lambda t: t["therapy"].map(SETTING)), "Days after which half of the effect is left: median "
              "[95 % interval], beside its prior.", {
                  "Drug": "drug", "Given": "given", "#Days": _days("median", "ci_low", "ci_high"),
                  "#Prior": _days("prior_median", "prior_low", "prior_high")}),
    ]  # fmt: skip


def _days(*names: str) -> Callable[[Row], str]:
    return lambda row: "{:.0f} [{:.0f}, {:.0f}]".format(*(row[name] for name in names))


def _sensitivity(tables: Tables) -> list[Block]:
    return [
        Heading(2, "Sensitivity"),
        table(tables["sensitivity"], f"The main terms under other choices, {SDS}.", {
            "Choice": "choice", "#Trials": "trials", "#Drug": ends("drug", "drug_low", "drug_high"),
            "#Drug x therapy": ends("interaction", "interaction_low", "interaction_high"),
            "#Therapy": ends("therapy", "therapy_low", "therapy_high"), "#tau": ends("tau", "tau_low", "tau_high")}),
    ]  # fmt: skip
