"""A candidate trial as rows of the decomposition: what its arms load on, what they scatter by, what is asked of them."""

from dataclasses import dataclass

import numpy as np

from pillprocess.gaussian.normal_equations import Array
from pillprocess.planning.comparisons import ESTIMANDS, NEEDS, compares, missing_comparison, therapy_types_of
from pillprocess.planning.knowledge import Knowledge
from pillprocess.planning.trials import NO_DRUG, PlannedTrial
from pillprocess.rows.terms import dose_curve

COEFFICIENT_OF = {
    "drug": "delta", "therapy": "psi", "drug:therapy": "kappa", "expectancy": "epsilon", "experience": "beta", "waitlist": "omega",
    "therapy_type": "psi_type",
}  # fmt: skip


@dataclass(frozen=True)
class NewRows:
    """A trial's arms in terms of a fit.

    Attributes
    ----------
    loading : array (arm, parameter)
        Of the pooled parameters.
    own : dict
        By heterogeneity SD, what each of the trial's own deviations multiplies, (arm, deviation).
    """

    loading: Array
    own: dict[str, Array]


def new_rows(trial: PlannedTrial, known: Knowledge) -> NewRows:
    """Describe a trial's arms as :func:`pillprocess.decomposition_design` would."""
    place = {name: i for i, name in enumerate(known.parameter)}
    loading = np.zeros((len(trial.arms), len(place)))
    drugs = sorted({arm.drug for arm in trial.arms if arm.given > 0})
    dose = dose_curve(np.array([arm.given for arm in trial.arms]), known.dose_shape)
    therapy = np.array(
        [1 - np.exp(-arm.therapy_hours / 10) if known.therapy_measure == "hours" else 1.0 for arm in trial.arms]
    ) * [bool(arm.therapy) for arm in trial.arms]
    given = np.array([[arm.drug == d for d in drugs] for arm in trial.arms], float).reshape(len(trial.arms), len(drugs))

    def put(name: str, values: Array) -> None:
        if name in place:
            loading[:, place[name]] += values

    waiting = np.array([arm.waiting_list for arm in trial.arms], float)
    put(f"mu_construct[{trial.construct}]", np.ones(len(trial.arms)))
    put("omega", waiting)
    put("psi", therapy)
    put("delta", dose)
    put("kappa", dose * therapy)
    put("epsilon", np.array([arm.believed(*known.believed) for arm in trial.arms]))
    put("beta", np.array([experience_of(trial, i, known) for i in range(len(trial.arms))]))
    for i, arm in enumerate(trial.arms):
        if arm.therapy and f"psi_type[{arm.therapy}]" in place:
            loading[i, place[f"psi_type[{arm.therapy}]"]] += therapy[i]
    for j, drug in enumerate(drugs):
        put(f"v[{drug}]", dose * given[:, j])
        put(f"w[{drug}]", 0.5 * dose * therapy * given[:, j])
    own = {
        "tau_mu": np.ones((len(trial.arms), 1)), "tau": dose[:, None] * given,
        "tau_context": np.column_stack([therapy, waiting]),
    }  # fmt: skip
    return NewRows(loading, own)


def experience_of(trial: PlannedTrial, arm: int, known: Knowledge) -> float:
    """Mean experience of an arm, in SDs."""
    planned = trial.arms[arm]
    return planned.given * planned.experience * known.raised.get(planned.drug, 0.0) + planned.experience_shift


def arm_noise(
    trial: PlannedTrial, rows: NewRows, known: Knowledge, *, per_arm: float, outcome_sd: float, bias_sd: float
) -> Array:
    """Covariance of the arms' means around what the pooled parameters predict, at each node (node, arm, arm)."""
    sampling = np.array([outcome_sd**2 / n + bias_sd**2 for n in trial.completers(per_arm)])
    noise = np.broadcast_to(np.diag(sampling), (len(known.weight), len(sampling), len(sampling))).copy()
    for name, values in rows.own.items():
        spread = (
            known.tau[name]
            if name != "tau_mu" or np.isnan(known.free_baseline_sd)
            else np.full(len(known.weight), known.free_baseline_sd)
        )
        noise += spread[:, None, None] ** 2 * (values @ values.T)
    return noise


def estimand_weights(trial: PlannedTrial, estimand: str, known: Knowledge) -> Array:
    """Weights of the pooled parameters that make an estimand, for the trial's drug (parameter,)."""
    place = {name: i for i, name in enumerate(known.parameter)}
    weights, drug = np.zeros(len(place)), trial.drug
    raised = known.raised.get(drug, 0.0)
    if estimand == "therapy_type":
        for sign, one in zip((1.0, -1.0), therapy_types_of(trial.arms), strict=False):
            weights[place[f"psi_type[{one}]"]] = sign
        return weights
    if estimand != "mediated":
        weights[place[COEFFICIENT_OF[estimand]]] = raised if estimand == "experience" else 1.0
        for name, term, part in (("v", "drug", 1.0), ("w", "drug:therapy", 0.5)):
            if estimand == term and f"{name}[{drug}]" in place:
                weights[place[f"{name}[{drug}]"]] = part
        return weights
    therapy = float(any(arm.therapy for arm in trial.arms if arm.given > 0))
    low, high = known.believed
    total = {
        "delta": 1.0,
        f"v[{drug}]": 1.0,
        "kappa": therapy,
        f"w[{drug}]": therapy / 2,
        "epsilon": high - low,
        "beta": raised,
    }
    for name, part in total.items():
        if name in place:
            weights[place[name]] -= part / 2
    weights[place["beta"]] += raised
    return weights


def askable(trial: PlannedTrial, known: Knowledge) -> list[str]:
    """The estimands that a trial compares arms for and the fit has terms for."""
    return [e for e in ESTIMANDS if not lacking_terms(e, known) and compares(trial, e, believed=known.believed)]


def lacking_terms(estimand: str, known: Knowledge) -> list[str]:
    """Terms that an estimand needs and the fit lacks."""
    needed = ["drug", "experience"] if estimand in NEEDS else [estimand]
    variables = {name.partition("[")[0] for name in known.parameter}
    return [term for term in needed if COEFFICIENT_OF[term] not in variables]


def planning_problems(trials: list[PlannedTrial], asked: list[list[str]] | None, known: Knowledge) -> list[str]:
    """Everything that keeps trials from being planned with this fit."""
    problems = []
    constructs = [
        p.removeprefix("mu_construct[").removesuffix("]") for p in known.parameter if p.startswith("mu_construct")
    ]
    names = [trial.name for trial in trials]
    problems += [f"trial '{name}' is there twice" for name in sorted({n for n in names if names.count(n) > 1})]
    for estimand in dict.fromkeys(e for one in asked or () for e in one):
        if missing := lacking_terms(estimand, known):
            how = (
                "types of therapy in the fit: give prior_therapy_type_sd"
                if estimand == "therapy_type"
                else "the fit's terms to have"
            )
            problems.append(
                f"'{estimand}' needs {how}" + ("" if estimand == "therapy_type" else f" {' and '.join(missing)}")
            )
    for trial, own in zip(trials, asked or [[]] * len(trials), strict=True):
        for arm in trial.arms:
            if arm.drug not in (*NO_DRUG, *known.drugs):
                problems.append(
                    f"trial '{trial.name}', arm '{arm.name}': unknown drug '{arm.drug}'; the fit knows {', '.join(known.drugs)}"
                )
        problems += [
            f"trial '{trial.name}', arm '{arm.name}': {arm.therapy} without therapy_hours; this fit counts therapy by its hours"
            for arm in trial.arms
            if known.therapy_measure == "hours" and arm.therapy and not arm.therapy_hours
        ]
        types = [p.removeprefix("psi_type[").removesuffix("]") for p in known.parameter if p.startswith("psi_type")]
        if lost := sorted(set(therapy_types_of(trial.arms)) - set(types)) if types else []:
            problems.append(
                f"trial '{trial.name}': no row of the fit has therapy of type {', '.join(lost)}; it has {', '.join(types)}"
            )
        if constructs and trial.construct not in constructs:
            problems.append(
                f"trial '{trial.name}': construct '{trial.construct}' is not in the fit; it has {', '.join(constructs)}"
            )
        for estimand in own:
            if not lacking_terms(estimand, known) and not compares(trial, estimand, believed=known.believed):
                problems.append(missing_comparison(trial, estimand, believed=known.believed))
    return problems
