"""Likelihoods of the synthesis, one function per kind of evidence; ``synthesis/model.py`` holds the formulas."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import xarray as xr
from pytensor.tensor import TensorVariable

from pillprocess.synthesis.choices import depression_course
from pillprocess.synthesis.data import (
    TRIAL_SDS,
    course_columns,
    effect_slots,
    score_studies,
    sd_of_effect,
    told_associations,
)
from pillprocess.synthesis.kinds import NOT_LEFT_OUT
from pillprocess.synthesis.outcome_density import trial_densities, trial_rows

CRITICAL, THRESHOLD_SD = 1.959964, 1.5

COUNT_EFFECTS = {"u": "dose", "h": "therapy"}
"""What varies between trials that report responders, beside their thresholds, and what it multiplies."""


@dataclass(frozen=True)
class Effect:
    """What moves an arm's change from its trial's course: coefficients (column,), and their loadings (arm, column)."""

    coefficients: TensorVariable
    loadings: np.ndarray

    def of(self, arms: np.ndarray) -> TensorVariable:
        """Effect of weighted sums of arms, (sum, arm)."""
        return pt.dot(arms @ self.loadings, self.coefficients)


@dataclass(frozen=True)
class Belief:
    """Coefficients of the probit of believing to have had the drug, and the SD between trials."""

    intercept: TensorVariable
    placebo: TensorVariable
    drug: TensorVariable
    experience: TensorVariable
    tau: TensorVariable

    def probit(self, dose: np.ndarray, placebo: np.ndarray, S: TensorVariable) -> TensorVariable:
        """Linear predictor at a dose, an active placebo (0 or 1) and an experience."""
        return self.intercept + self.placebo * placebo + self.drug * dose + self.experience * S

    def share(self, probit: TensorVariable) -> TensorVariable:
        """Share of people who believe it, over trials."""
        return normal_cdf(probit / pt.sqrt(1 + self.tau**2))


def normal_cdf(x: TensorVariable) -> TensorVariable:
    """Return the standard normal distribution function."""
    return 0.5 * pt.erfc(-x / np.sqrt(2))


def positions(items: xr.Dataset, variable: str, labels: Iterable[str]) -> np.ndarray:
    """Return where each of the variable's labels stands among the labels."""
    where = {label: i for i, label in enumerate(labels)}
    return np.array([where[v] for v in items[variable].to_numpy()], int)


def centred(name: str, mean: TensorVariable, sd: TensorVariable, seen: TensorVariable, *, dims: str) -> TensorVariable:
    """Return N(mean, sd), drawn as it is where data speak of it (``seen`` 1) and standardised where none do (0).

    What no data tell apart from its mean would otherwise have to follow the SD into every corner.
    """
    raw = pm.Normal(f"{name}_raw", seen * mean, seen * sd + 1 - seen, dims=dims)
    return pm.Deterministic(name, seen * raw + (1 - seen) * (mean + sd * raw), dims=dims)


def add_course(items: xr.Dataset, sd: float, believed: TensorVariable) -> TensorVariable:
    """Add the courses of the control condition and return them, drawn as what patients on placebo report: with their belief's effect."""
    columns = course_columns(items)
    free = (items["coefficient_variable"].to_numpy()[columns] == "mu").any()
    pm.modelcontext(None).add_coord("course", items["coefficient_label"].to_numpy()[columns])
    return pm.Deterministic(
        "mu", pm.Normal("mu_raw", believed, 10.0 if free else sd, dims="course") - believed, dims="course"
    )


def direct_effects(left: TensorVariable, in_common: TensorVariable, by_drug: TensorVariable) -> TensorVariable:
    r"""Add each drug's direct effect, :math:`\delta_d = s_0 z + s_1 z_d`, drawn as what outcomes leave open when all else is known.

    Outcomes tell a drug's whole effect well and its parts badly: with :math:`z` as they are, every other part would move along a
    ridge as thin as the whole is known. Under any fixed SDs between trials outcomes say :math:`\delta_d` with information
    :math:`I_d` and score :math:`q_d`, so that

    .. math::

        z \sim N(v s_0 \textstyle\sum_d q_d / h_d,\ v), \quad z_d \mid z \sim N(s_1 (q_d - I_d s_0 z) / h_d,\ 1 / h_d), \quad
        h_d = 1 + s_1^2 I_d, \quad 1 / v = 1 + s_0^2 \textstyle\sum_d I_d / h_d

    These are only where the axes lie: the prior of :math:`z` is N(0, 1), and the likelihood that of `add_outcomes`.

    Parameters
    ----------
    left
        Whitened outcomes less everything but direct effects, (row,).
    in_common, by_drug
        s_0 and s_1.
    """
    model = pm.modelcontext(None)
    information, score = model["direct_information"], pt.dot(model["direct_score"], left)
    known = 1 + by_drug**2 * information
    sd = 1 / pt.sqrt(1 + in_common**2 * pt.sum(information / known))
    z = shifted("direct_common", sd**2 * in_common * pt.sum(score / known), sd)
    own = shifted(
        "direct_own", by_drug * (score - information * in_common * z) / known, 1 / pt.sqrt(known), dims="drug"
    )
    return pm.Deterministic("direct", in_common * z + by_drug * own, dims="drug")


def shifted(name: str, mean: TensorVariable, sd: TensorVariable, *, dims: str | None = None) -> TensorVariable:
    """Return N(0, 1), drawn as its distance from a mean in units of an SD."""
    return mean + sd * pm.Normal(f"{name}_raw", -mean / sd, 1 / sd, dims=dims)


def add_outcomes(items: xr.Dataset, white: TensorVariable, sds: Mapping[str, TensorVariable]) -> None:
    """Add outcomes of arms and published differences, as whitened residuals, trial effects integrated out."""
    model = pm.modelcontext(None)
    slots = effect_slots(items)
    which = np.append(sd_of_effect(items), -1)[slots][..., None] == np.arange(len(TRIAL_SDS))
    sd = pt.dot(
        which.reshape(-1, len(TRIAL_SDS)).astype(float), pt.stack([sds[n] for n in TRIAL_SDS.values()])
    ).reshape(slots.shape)
    density = trial_densities(
        white, model["whitened_loadings"], model["gram"], [sd[k] for k in range(len(slots))],
        trial_rows(items["trial"].to_numpy()),
    )  # fmt: skip
    pm.Potential("outcomes", pt.sum(density))
    without_one = pt.logsumexp(
        model["left_out"] - density
    )  # of some trials: the mixture of the posteriors without each
    pm.Potential("without_each", pt.switch(pt.any(model["left_out"] > NOT_LEFT_OUT), without_one, 0.0))


def add_outside(
    items: xr.Dataset, psi: TensorVariable, epsilon: TensorVariable, omega: TensorVariable, course: TensorVariable
) -> None:
    """Add what trials elsewhere say of therapy, belief and a waiting list's course, as far as it is let in."""
    model, at = pm.modelcontext(None), depression_course(items)
    here = pt.stack([psi, epsilon, omega if at is None else omega + course[at]])
    variance = model["outside_sd"] ** 2 + model["transport_scale"][0] ** 2
    density = -0.5 * ((model["outside_mean"] - here) ** 2 / variance + pt.log(2 * np.pi * variance))
    pm.Potential("randomised_elsewhere", pt.sum(model["outside_kept"] * density))


def add_scores(
    items: xr.Dataset, a: TensorVariable, tau_a: TensorVariable, loading: TensorVariable, drugs: list[str]
) -> None:
    """Acute scores: one deviation per study, one sampling error of the latent mean per arm, the rest per instrument."""
    if not items.sizes["score"]:
        return
    model = pm.modelcontext(None)
    study = score_studies(items)
    studies, arms = list(dict.fromkeys(study)), list(dict.fromkeys(items["score_arm"].to_numpy()))
    model.add_coords({"score": items["score"].to_numpy(), "score_study": studies, "score_arm": arms})
    of_study = np.array([studies.index(s) for s in study], int)
    drug_of = np.array([drugs.index(s.rsplit(": ", 1)[1]) for s in studies], int)
    in_study = centred("a_study", a[drug_of], tau_a, model["study_seen"], dims="score_study")
    error = pm.Normal("score_error_raw", 0, 1, dims="score_arm")
    n, dose = items["score_n"].to_numpy(), items["score_dose"].to_numpy()
    latent = dose * in_study[of_study] + error[positions(items, "score_arm", arms)] / np.sqrt(n)
    own = loading[positions(items, "score_instrument", items["instrument"].to_numpy())]
    sd = pt.sqrt((1 - own**2) / n + items["score_se"].to_numpy() ** 2 + model["score_extra"] ** 2)
    pm.Normal("score_d", own * latent, sd, observed=model["score_data"], dims="score")


def add_bridges(items: xr.Dataset, loading: TensorVariable) -> None:
    """Correlations between two instruments of one dimension."""
    if not items.sizes["bridge"]:
        return
    model = pm.modelcontext(None)
    model.add_coord("bridge", items["bridge"].to_numpy())
    one, other = (
        positions(items, f"bridge_{side}", items["instrument"].to_numpy()) for side in ("instrument", "other")
    )
    z = pt.arctanh(loading[one] * loading[other])
    pm.Normal("bridge_z", z, items["bridge_se"].to_numpy(), observed=model["bridge_data"], dims="bridge")


def add_associations(
    items: xr.Dataset, loading: TensorVariable, zeta: TensorVariable, tau_zeta: TensorVariable, dimensions: list[str]
) -> None:
    """Experience and outcome within arms: estimates on Fisher's scale, or only their significance."""
    told, model = told_associations(items), pm.modelcontext(None)
    own = loading[positions(items, "association_instrument", items["instrument"].to_numpy())]
    mean = pt.arctanh(own * pt.tanh(zeta[positions(items, "association_dimension", dimensions)]))
    se, labels = items["association_se"].to_numpy(), items["association"].to_numpy()
    if (~told).any():
        model.add_coord("association_estimate", labels[~told])
        sd = pt.sqrt(se[~told] ** 2 + tau_zeta**2 + model["association_extra"] ** 2)
        pm.Normal("association_z", mean[~told], sd, observed=model["association_data"], dims="association_estimate")
    if told.any():
        model.add_coord("association_significance", labels[told])
        sd, critical = pt.sqrt(se[told] ** 2 + tau_zeta**2), CRITICAL * se[told]
        p = normal_cdf((mean[told] - critical) / sd) + normal_cdf((-mean[told] - critical) / sd)
        pm.Binomial(
            "significant",
            model["significance_n"],
            p,
            observed=model["significance_data"],
            dims="association_significance",
        )


def add_guesses(items: xr.Dataset, belief: Belief, S: TensorVariable) -> None:
    """Correct guesses: active arms believe so, the others do not; each count has its own shift."""
    if not items.sizes["guess"]:
        return
    model = pm.modelcontext(None)
    model.add_coord("guess", items["guess"].to_numpy())
    weight = items["guess_arm"].to_numpy()
    guess, arm = np.nonzero(weight)
    shift = belief.tau * pm.Normal("belief_raw", 0, 1, dims="guess")
    placebo, dose = items["arm_active_placebo"].to_numpy()[arm], items["arm_dose"].to_numpy()[arm]
    share = normal_cdf(belief.probit(dose, placebo, S[arm]) + shift[guess])
    total = (np.arange(len(weight))[:, None] == guess) * weight[guess, arm]
    p = items["guess_constant"].to_numpy() + pt.dot(total, share)
    pm.Binomial("guess_correct", model["guess_n"], p, observed=model["guess_data"], dims="guess")


def add_counts(items: xr.Dataset, effect: Effect, sds: Mapping[str, TensorVariable]) -> None:
    """Responders: the change passes a threshold that each trial has for itself."""
    if not items.sizes["count"]:
        return
    model = pm.modelcontext(None)
    trials = list(dict.fromkeys(items["count_trial_of"].to_numpy()))
    model.add_coords({"count": items["count"].to_numpy(), "count_trial": trials})
    member, of = items["count_arm"].to_numpy(), positions(items, "count_trial_of", trials)
    model.add_coord("of_count_trial", tuple(COUNT_EFFECTS))
    change = effect.of(member)
    first = change[np.unique(of, return_index=True)[1]]
    # N(0, 1.5), drawn as what the counts know: how far it lies from an arm.
    beyond = pm.Normal("threshold_raw", -first, THRESHOLD_SD, dims="count_trial")
    threshold = pm.Deterministic("threshold", first + beyond, dims="count_trial")
    raw = pm.Normal("count_raw", 0, 1, dims=("of_count_trial", "count_trial"))
    in_trial = np.arange(len(trials)) == of[:, None]
    for i, (variable, column) in enumerate(COUNT_EFFECTS.items()):
        amount = (member @ items[f"arm_{column}"].to_numpy())[:, None] * in_trial
        change += sds[TRIAL_SDS[variable]] * pt.dot(amount, raw[i])
    p = normal_cdf((threshold[of] - change) / float(items["outcome_sd"]))
    pm.Binomial("responders", model["count_n"], p, observed=model["count_data"], dims="count")
