"""A whole plan from an evidence base: the fit, what each design would teach, and how far priors, bias and belief move that."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd
import xarray as xr

from pillprocess.decomposition.model import decomposition_design
from pillprocess.evidence.tables import Evidence
from pillprocess.inference.fit import fit
from pillprocess.planning.comparisons import ESTIMANDS, check_estimands, compares, design_ledger, therapy_types_of
from pillprocess.planning.information import expected_information
from pillprocess.planning.knowledge import knowledge_of
from pillprocess.planning.ranking import rank_designs, sizes_needed
from pillprocess.planning.table_columns import SIZES
from pillprocess.planning.trials import PlannedTrial
from pillprocess.rows.contrasts import model_rows
from pillprocess.rows.terms import HYPOTHESES

type Step = Callable[[str], None]

MAIN = ("mediated", "accounts", "experience", "drug:therapy", "therapy_type")
"""What a plan is about unless asked otherwise: the review's question, and the one its usual trials answer."""

COARSE = (10, 20, 40, 80, 160, 320, 640, 1000, float("inf"))
TYPE_SD = 0.3
BIAS = 0.1
AS_FITTED = "as fitted"
ALIKE = {
    AS_FITTED: {}, "priors half as wide": {"prior_scale": 0.5}, "priors twice as wide": {"prior_scale": 2.0},
    f"each arm off by N(0, {BIAS:g})": {"bias_sd": BIAS},
}  # fmt: skip
"""Names of the sensitivities that share a fit, and what each changes."""
NO_BELIEF = "without belief in the model"


@dataclass(frozen=True)
class Plan:
    """Tables by name (``information``, ``sizes``, ``ranking``, ``ledger``, ``sensitivity``), the fit, the designs, what was asked."""

    tables: dict[str, pd.DataFrame]
    fit: xr.DataTree
    designs: tuple[PlannedTrial, ...]
    estimands: tuple[str, ...]
    outcome_sd: float
    people: float


def make_plan(
    evidence: Evidence,
    designs: Sequence[PlannedTrial],
    *,
    estimands: Sequence[str] | None = None,
    strict: bool = True,
    people: float = 200.0,
    seed: int,
    step: Step = lambda _: None,
) -> Plan:
    """Fit the decomposition with every term and plan with it.

    Parameters
    ----------
    evidence
        The checked tables.
    designs
        Candidate trials.
    estimands
        What is asked, as in :func:`pillprocess.design_ledger`; ``MAIN`` by default.
    strict
        A design without a comparison for an estimand that was asked is an error; otherwise the ledger says so.
    people
        People at which designs are ranked.
    seed
        Seed of every draw.
    step
        Called with the name of each step as it begins.

    Returns
    -------
    Plan.

    Raises
    ------
    PlanningError
        As in :func:`pillprocess.expected_information`.
    """
    asked = tuple(MAIN if estimands is None else estimands)
    check_estimands(asked)
    step("model rows")
    arms, differences = model_rows(evidence)
    typed = any(len(therapy_types_of(trial.arms)) > 1 for trial in designs)
    terms = HYPOTHESES["mediated"]
    step("fit in closed form")
    design = decomposition_design(arms, differences, terms=terms, prior_therapy_type_sd=TYPE_SD if typed else None)
    idata = fit(design, seed=seed)
    given = arms[arms["dose"] > 0]
    outcome_sd = float((given["se"] * given["n"] ** 0.5).median())
    step("what each design would teach")
    possible = {
        trial.name: [e for e in asked if compares(trial, e) and (typed or e != "therapy_type")] for trial in designs
    }  # fmt: skip
    wanted = {trial.name: list(asked) for trial in designs} if strict and estimands is not None else possible
    sizes = (*SIZES, float("inf"))
    whole = expected_information(
        idata, designs, estimands=wanted, sizes=sizes, outcome_sd=outcome_sd, seed=seed, draws=1024
    )  # fmt: skip
    order = {e: i for i, e in enumerate(asked)}
    whole = _of_asked(whole, order)
    step("sensitivity to the prior, to bias and to belief")
    parts = []
    for name, changed in ALIKE.items():
        table = expected_information(
            idata, designs, estimands=wanted, sizes=COARSE, outcome_sd=outcome_sd, seed=seed, draws=256,
            prior_scale=changed.get("prior_scale", 1.0), bias_sd=changed.get("bias_sd", 0.0),
        )  # fmt: skip
        parts.append(_sensitivity(_of_asked(table, order), name, people))
    free = decomposition_design(
        arms, differences, terms=terms - {"expectancy"}, prior_therapy_type_sd=TYPE_SD if typed else None
    )  # fmt: skip
    unbelieving = {name: [e for e in own if e != "expectancy"] for name, own in possible.items()}
    table = expected_information(
        fit(free, seed=seed, draws=10), designs, estimands=unbelieving, sizes=COARSE, outcome_sd=outcome_sd, seed=seed, draws=256
    )  # fmt: skip
    parts.append(_sensitivity(_of_asked(table, order), NO_BELIEF, people))
    tables = {
        "information": whole, "sizes": sizes_needed(whole) if len(whole) else whole,
        "ranking": rank_designs(whole, people=people, costs={t.name: t.cost for t in designs if t.cost}) if len(whole) else whole,
        "ledger": design_ledger(designs, believed=knowledge_of(design, nodes=2).believed),
        "sensitivity": pd.concat(parts, ignore_index=True), "designs": _described(designs),
    }  # fmt: skip
    return Plan(tables, idata, tuple(designs), asked, outcome_sd, people)


def _of_asked(table: pd.DataFrame, order: dict[str, int]) -> pd.DataFrame:
    """Rows of what was asked, in the order of asking."""
    own = table[table["estimand"].isin(list(order))]
    return own.sort_values("estimand", key=lambda c: c.map(order), kind="stable").reset_index(drop=True)


def _sensitivity(table: pd.DataFrame, name: str, people: float) -> pd.DataFrame:
    """Size for 80 %, what no size exceeds, and the reduction and rank at so many people, under one choice."""
    if table.empty:
        return table
    sizes = sizes_needed(table).set_index(["design", "estimand"])
    ranked = rank_designs(table, people=people).set_index(["design", "estimand"])
    joined = sizes[["n_80", "limit"]].join(ranked[["rank", "reduction", "assurance"]]).reset_index()
    return joined.assign(choice=name)


def _described(designs: Sequence[PlannedTrial]) -> pd.DataFrame:
    """One row per arm of every design."""
    return pd.DataFrame(
        [
            {
                "design": trial.name, "arm": arm.name, "n": arm.n, "drug": arm.drug, "dose": arm.given, "therapy": arm.therapy,
                "therapy_hours": arm.therapy_hours, "experience": arm.experience, "experience_shift": arm.experience_shift,
                "belief": arm.belief, "active_placebo": arm.active_placebo, "waiting_list": arm.waiting_list, "dropout": trial.dropout,
                "measured": " ".join(trial.measured), "construct": trial.construct, "cluster_size": trial.cluster_size,
                "cluster_icc": trial.cluster_icc, "cost": trial.cost, "source": trial.source,
            }
            for trial in designs
            for arm in trial.arms
        ]
    )  # fmt: skip


def answers(plan: Plan) -> list[str]:
    """One sentence per estimand: the design that needs fewest people for 80 %, or that none reaches it."""
    sentences = []
    sizes = plan.tables["sizes"]
    count = {trial.name: len(trial.arms) for trial in plan.designs}
    for estimand in plan.estimands:
        named = ESTIMANDS[estimand][0].upper() + ESTIMANDS[estimand][1:]
        own = sizes[sizes["estimand"] == estimand] if len(sizes) else sizes
        if own.empty:
            sentences.append(f"None of these designs has a comparison for: {ESTIMANDS[estimand]}.")
            continue
        if own["decided_now"].all():
            sentences.append(f"{named}: decided by the evidence there is, under this model.")
            continue
        reached = own.dropna(subset="n_80")
        if reached.empty:
            best = own.loc[own["at_largest"].idxmax()]
            sentences.append(
                f"{named}: no design reaches 80 % with {best['largest']:.0f} people per arm; the nearest, "
                f"{best['design']}, has a chance of {100 * best['at_largest']:.0f} %, and {100 * best['limit']:.0f} % without end."
            )
            continue
        people = reached["n_80"] * reached["design"].map(count)
        best = reached.loc[people.idxmin()]
        ninety = f", {best['n_90']:.0f} for 90 %" if best["n_90"] == best["n_90"] else ", and no size here gives 90 %"
        sentences.append(
            f"{named}: fewest people with {best['design']}, {best['n_80']:.0f} per arm for 80 % "
            f"({people.min():.0f} in all){ninety}."
        )
    return sentences
