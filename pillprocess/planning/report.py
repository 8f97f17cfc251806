"""The plan on one page that a trialist can take to a committee."""

import pandas as pd
from matplotlib.figure import Figure

from pillprocess.evidence.edition import edition_of
from pillprocess.evidence.tables import Evidence
from pillprocess.gaussian.posterior_columns import design_of
from pillprocess.output.pages import estimate, render_page, versions
from pillprocess.output.visual_style import Width, house_style
from pillprocess.planning.comparisons import ESTIMANDS
from pillprocess.planning.knowledge import knowledge_of
from pillprocess.planning.plan import ALIKE, NO_BELIEF, Plan, answers
from pillprocess.planning.plots import plot_assurance

TERM_PRIORS = {
    "delta": "drug", "kappa": "drug x therapy", "psi": "therapy", "psi_type": "each type of therapy beside it",
    "epsilon": "belief (0 to 1)", "beta": "experience (per SD)",
}  # fmt: skip


def draw_plan(plan: Plan, *, width: Width = "two_column") -> dict[str, Figure]:
    """Draw the chance to decide against size, one figure per estimand that any design compares arms for."""
    found = set(plan.tables["information"]["estimand"])
    figures = {}
    with house_style():
        for estimand in plan.estimands:
            if estimand in found:
                ax = plot_assurance(
                    plan.tables["information"], estimand=estimand, width=width, title=_headline(estimand)
                )
                if isinstance(ax.figure, Figure):
                    figures[f"assurance_{estimand.replace(':', '_')}"] = ax.figure
    return figures


def _headline(estimand: str) -> str:
    return ESTIMANDS[estimand][0].upper() + ESTIMANDS[estimand][1:]


def assumptions(plan: Plan) -> list[str]:
    """What the plan takes for granted, each with its figures."""
    design = design_of(plan.fit)
    known = knowledge_of(design, nodes=20)
    posterior = plan.fit["posterior"].dataset
    words = {"tau": "the drug's effect", "tau_mu": "the course", "tau_context": "the effects of therapy and of waiting"}
    spread = {name: float(posterior[name].mean()) for name in words if name in posterior}
    priors = dict(
        zip(design["coefficient_variable"].to_numpy().tolist(), design["prior_sd"].to_numpy().tolist(), strict=True)
    )
    of_terms = "; ".join(f"{name} {priors[v]:.2g}" for v, name in TERM_PRIORS.items() if v in priors)
    raised = ", ".join(f"{drug} {s:.1f}" for drug, s in known.raised.items() if s == s)
    return [
        f"The new trial is one more of the kind that the {len(set(design['trial'].to_numpy()))} trials of the evidence are: between "
        "trials, "
        + "; ".join(f"{words[n]} differs with SD {s:.2f}" for n, s in spread.items())
        + ". The interaction of drug and therapy, belief and the experience are taken to be alike in all trials: where they are not, every "
        "chance here is too high.",
        f"SD of people's changes within an arm: {plan.outcome_sd:.2f} reference SDs (median of the drug arms).",
        f"A reference dose raises the experience by, in SDs: {raised}. Nothing is experienced under anaesthesia, and the blocker or the "
        "setting does to the outcome only what it does to the experience.",
        f"Of blinded arms {100 * known.believed[0]:.0f} % without the drug and {100 * known.believed[1]:.0f} % with it believe they had "
        "it, in between as the experience is. \"Equal\" belief must be brought about; how, the design has to say.",
        f"Priors, SDs in reference SDs: {of_terms}; each heterogeneity SD as in the fit. Dropout is at random.",
        "A bias that no size removes costs more than people can buy back. In simulations of psilocybin with 200 per arm, an error of SD .2 "
        "in each arm left intervals planned without it at 52 % coverage; planned with it they cover 95 %, and the chance to decide whether "
        "the experience does anything falls from 61 to 13 %.",
        "A chance to decide is averaged over all that is possible now, favourable and not; it is no power at a chosen effect.",
    ]  # fmt: skip


def render_plan(plan: Plan, evidence: Evidence, figures: dict[str, str], *, seed: int) -> str:
    """Render the plan as one self-contained HTML page.

    Parameters
    ----------
    plan
        From :func:`pillprocess.planning.plan.make_plan`.
    evidence
        The tables it was made from.
    figures
        Address of each figure of :func:`draw_plan`, by name.
    seed
        The seed that was used.

    Returns
    -------
    HTML text.
    """
    tables = {name: _blank(table).to_dict("records") for name, table in plan.tables.items()}
    choices = [*ALIKE, NO_BELIEF]
    context = {
        "answers": answers(plan), "assumptions": assumptions(plan), "tables": tables, "figures": figures, "estimands": plan.estimands,
        "headline": {e: _headline(e) for e in plan.estimands}, "designs": plan.designs, "people": plan.people,
        "choices": choices, "sensitivity": _by_choice(plan), "edition": str(edition_of(evidence)),
        "provenance": versions(seed) | {"data checksum (SHA-256)": evidence.checksum},
    }  # fmt: skip
    return render_page("design.html", context, wing="planning", writes=estimate)


def _by_choice(plan: Plan) -> list[dict[str, object]]:
    """One row per estimand and design: under each choice the size for 80 %, or what no size exceeds, and the rank."""
    rows = []
    for (estimand, design), own in plan.tables["sensitivity"].groupby(["estimand", "design"], sort=False):
        cells = {
            str(r.choice): f"{r.n_80:.0f} (rank {r.rank})"
            if r.n_80 == r.n_80
            else f"at most {100 * r.limit:.0f} % (rank {r.rank})"
            for r in own.itertuples()
        }
        rows.append({"estimand": estimand, "design": design, "cells": cells})
    return rows


def _blank(table: pd.DataFrame) -> pd.DataFrame:
    """Missing values as None, which templates leave empty."""
    return table.astype(object).where(table.notna(), None)
