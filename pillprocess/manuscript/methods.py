"""The methods of the paper, every number counted from the tables and the evidence."""

from collections.abc import Mapping

import pandas as pd

from pillprocess.evidence.edition import edition_of
from pillprocess.evidence.tables import Evidence
from pillprocess.findings.certainty import RULE
from pillprocess.manuscript.document import Block, Formula, Heading, Open, Table, Text, minus
from pillprocess.rows.change_scores import learned_correlation
from pillprocess.rows.terms import REPORTED

FORMULA = Formula(
    "y[jk] ~ N(θ[jk], se[jk]²)\n"
    "θ[jk] = μ[j] + (ψ + t[j]) therapy + (ω + l[j]) waiting list + (χ + c[j]) active comparator\n"
    "+ (δ + v[d] + u[jd]) dose + (κ + w[d]/2) dose × therapy\n"
    "v[d], w[d] ~ N(0, τ[drug]²), u[jd] ~ N(0, τ²), t[j], l[j], c[j] ~ N(0, τ[context]²)",
    r"""y_{jk} &\sim N(\theta_{jk}, se_{jk}^2) \\
\theta_{jk} &= \mu_j + (\psi + t_j)\,\mathrm{therapy}_{jk} + (\omega + l_j)\,\mathrm{waitlist}_{jk} \\
&\quad + (\chi + c_j)\,\mathrm{comparator}_{jk} + (\delta + v_d + u_{jd})\,\mathrm{dose}_{jk} \\
&\quad + (\kappa + w_d / 2)\,\mathrm{dose}_{jk}\,\mathrm{therapy}_{jk} \\
v_d, w_d &\sim N(0, \tau_{\mathrm{drug}}^2), \quad u_{jd} \sim N(0, \tau^2), \quad t_j, l_j, c_j \sim N(0, \tau_{\mathrm{context}}^2)""",
)
"""The headline model, as the docstring of ``decomposition/model.py`` states it."""

PRINTED = ("printed SD", "printed SE", "95 % CI")


def methods(tables: Mapping[str, pd.DataFrame], evidence: Evidence, run: Mapping[str, object]) -> list[Block]:
    """Write the methods.

    Parameters
    ----------
    tables
        Of the main job, by name, as :func:`pillprocess.read_results` gives them.
    evidence
        The evidence they were made from.
    run
        What ``run.json`` of the results folder holds.

    Returns
    -------
    Blocks, from the heading Methods on.
    """
    return [
        Heading(1, "Methods"), *_evidence(tables["rows"], evidence, len(tables["set_aside"])), *_outcome(tables["rows"], evidence),
        Heading(2, "Model"), Text(
            "We fitted a Bayesian component network meta-analysis with an interaction (Welton et al. 2009, doi:10.1093/aje/kwp014; "
            "Freeman et al. 2018, doi:10.1002/jrsm.1295). The expected change of arm k of trial j is a sum of terms:"
        ), FORMULA, Text(
            "Dose is relative to the drug's reference dose; therapy, waiting list and active comparator are 0 or 1. The course μ[j] is "
            "exchangeable between controlled trials of one construct; uncontrolled trials keep a free one, so that they do not inform the "
            "drug terms. Drugs d deviate around a common effect, trials around their drug's, and the effects of therapy, waiting list and "
            "active comparator deviate wherever a trial randomises them. A published difference is a row whose terms are the differences "
            "of its arms' terms; differences of one trial with several arms share the error of their common arm."
        ), *_fit(tables, run), *_further(tables), *_words_for_certainty(),
    ]  # fmt: skip


def model_facts(rows: pd.DataFrame) -> dict[str, int]:
    """Count trials, arms, people and published differences of the model rows."""
    arms, differences = rows[rows["kind"] == "arm"], rows[rows["kind"] == "contrast"]
    return {
        "trials": rows["trial"].nunique(), "arms": len(arms), "arm_trials": arms["trial"].nunique(), "people": int(arms["people"].sum()),
        "differences": len(differences), "difference_trials": differences["trial"].nunique(),
    }  # fmt: skip


def _evidence(rows: pd.DataFrame, evidence: Evidence, set_aside: int) -> list[Block]:
    trials, facts = evidence.trials, model_facts(rows)
    included = int((trials["include"] == 1).sum())
    return [
        Heading(2, "Evidence"),
        Open("protocol and registration; databases, dates and search strings; who screened, extracted and checked."),
        Text(
            f"The evidence tables ({edition_of(evidence)}) hold {len(trials)} studies: {included} are included, {len(trials) - included} "
            f"left out with a reason. Every figure carries the address it was read at; {len(evidence.doubts)} known doubts are recorded by "
            f"trial. The headline model holds {facts['trials']} trials: {facts['arms']} arms of {facts['arm_trials']} trials with "
            f"{facts['people']} people (those of a crossover count once), and {facts['differences']} published differences from "
            f"{facts['difference_trials']} more. {set_aside} arms and differences of included trials are set aside, each with its reason."
        ),
    ]


def _outcome(rows: pd.DataFrame, evidence: Evidence) -> list[Block]:
    r = learned_correlation(evidence)
    days, printed = rows["time_days"].dropna(), int(rows["se_from"].isin(PRINTED).sum())
    return [
        Heading(2, "Outcome"),
        Text(
            f"The outcome is the change of symptoms from baseline at each trial's primary time point (median day {days.median():.0f}), "
            "over the reference SD of its scale, so that negative is improvement. "
            f"{printed} of {len(rows)} standard errors were printed{'; the others were derived or borrowed' * (printed < len(rows))}. "
            "A change SD that was not printed comes from the SDs at baseline and end point with a pre-post correlation of "
            f"{r['r']:.2f} [{r['r_low']:.2f}, {r['r_high']:.2f}], learned from the {r['n_arms']:.0f} arms that print all three. "
            "Intervals are 95 % equal-tailed."
        ),
    ]  # fmt: skip


def _fit(tables: Mapping[str, pd.DataFrame], run: Mapping[str, object]) -> list[Block]:
    record = tables["reporting_record"].set_index(["guideline", "item"])["record"].fillna("")
    seed = f" Seed {run['seed']}." if "seed" in run else ""
    said = [record.get(("BARG", item), "") for item in ("2A", "2B", "2C", "2D")]
    return [
        Heading(2, "Priors and computation"),
        Text(f"Priors, in reference SDs: {record.get(('BARG', '1C'), '')}."),
        Text(f"The headline model was sampled. {' '.join(sentence for sentence in said if sentence)}{seed}"),
        Text(
            f"Prior predictive check: {record.get(('BARG', '1E'), '')} Posterior predictive check: {record.get(('BARG', '3A'), '')} Each "
            "trial was also predicted from all others, with the heterogeneity fitted again."
        ),
    ]


def _further(tables: Mapping[str, pd.DataFrame]) -> list[Block]:
    """What was fitted besides the headline, as far as it was."""
    rows = tables["rows"]
    reported = int((rows["expectancy_from"] == REPORTED).sum())
    out: list[Block] = [
        Heading(2, "Further analyses"),
        Text(
            f"Belief. Belief of having had the drug was reported for {reported} of {len(rows)} rows and borrowed for the others. We report "
            "the model without belief, whose drug term is the drug with its unblinding, and the model that holds belief equal."
        ),
        Text(
            "Comparison of accounts. Sets of terms that the review tells apart were compared by exact leave-one-trial-out prediction "
            "(expected log predictive density, elpd) and by exact marginal likelihood, all models equally probable before."
        ),
        Text(
            "Identification. For each term the ledger says which share of its information comes from comparisons that isolate it within "
            "trials, from randomised comparisons that carry something else too, from differences between trials, and from its prior."
        ),
        Text(
            f"Sensitivity. The headline was fitted again under {len(tables['sensitivity']) - 1} other choices, and without each trial "
            "in turn."
        ),
    ]
    if "bias_effects" in tables:
        out.append(
            Text(
                "Small and selected trials. Sixteen models of small-study effects (PET, PEESE) and of selection by significance, with "
                "and without an effect and heterogeneity, were averaged by their posterior probability, dose read in three ways (after "
                "Bartoš et al. 2023, doi:10.1002/jrsm.1594)."
            )
        )
    if "synthesis_effects" in tables:
        out.append(
            Text(
                "Mediation by the experience. A joint model of outcomes, response counts, treatment guesses, acute scores and associations "
                "of experience and outcome gives each drug's effect by path: direct, with therapy, through the experience, through belief. "
                "No trial randomises the experience: how much of its association with improvement is causal has a prior, and results "
                "are given over that share."
            )
        )
    return out


def _words_for_certainty() -> list[Block]:
    return [
        Heading(2, "Certainty"),
        Text(
            "Certainty is rated by a rule from the tables, after GRADE's domains (Balshem et al. 2011, "
            "doi:10.1016/j.jclinepi.2010.07.015). No rater judged; a rule is cruder than a rater."
        ),
        Table("The rule of each domain.", ("Domain", "Rule"), tuple((domain, minus(rule)) for domain, rule in RULE.items())),
    ]  # fmt: skip
