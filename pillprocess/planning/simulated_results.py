r"""A candidate trial's summary statistics under each draw of a synthesis.

For arm k with dose x, therapy h, and experience :math:`S = a_d x w + \Delta` (w the part of it that is had, :math:`\Delta` what a
setting adds), the model's own formulas (:mod:`pillprocess.synthesis.model`) give the expected change and the belief. To them come the
trial's own deviations and the sampling errors of

* the arms' changes, less that of the first arm: only what is randomised is used;
* where the experience is measured: the arms' mean scores, less the first, and the correlation of experience and change within arms, on
  Fisher's scale;
* where guesses are asked: the share of each blinded arm that believes it had the drug.
"""

from dataclasses import dataclass

import numpy as np
import xarray as xr
from scipy.special import ndtr

from pillprocess.gaussian.normal_equations import Array
from pillprocess.planning.trials import PlannedTrial
from pillprocess.rows.terms import dose_curve
from pillprocess.synthesis.data import experiences_of_items
from pillprocess.synthesis.fits import items_of


@dataclass(frozen=True)
class Draws:
    """A synthesis's posterior as flat arrays, and what its items say.

    ``scalar`` (name to (draw,)), ``by_drug`` (name to drug to (draw,)), ``zeta`` (drug to (draw,), that of its dimension), ``loading``
    (draw,) the mean over instruments, ``outcome_sd`` the SD of people's changes.
    """

    scalar: dict[str, Array]
    by_drug: dict[str, dict[str, Array]]
    zeta: dict[str, Array]
    loading: Array
    outcome_sd: float
    dose_shape: str

    @property
    def drugs(self) -> tuple[str, ...]:
        """The drugs of the fit."""
        return tuple(self.by_drug["a"])

    @property
    def size(self) -> int:
        """Number of draws."""
        return len(self.loading)

    def get(self, name: str) -> Array:
        """A scalar, 0 where the model has no such term."""
        return self.scalar.get(name, np.zeros(self.size))


SCALARS = (
    "psi", "epsilon", "omega", "g_0", "g_placebo", "g_drug", "g_experience", "tau", "tau_a", "tau_belief", "tau_zeta", "tau_therapy",
    "tau_waitlist",
)  # fmt: skip


def draws_of(idata: xr.DataTree) -> Draws:
    """Flatten the posterior of a fit of the synthesis."""
    posterior, items = idata["posterior"].dataset, items_of(idata)
    experiences = experiences_of_items(items)

    def flat(values: xr.DataArray) -> Array:
        return values.transpose("chain", "draw", ...).to_numpy().reshape(-1)

    drugs = [str(d) for d in posterior["drug"].to_numpy()]
    by_drug = {
        name: {d: flat(posterior[name].sel(drug=d)) for d in drugs} for name in ("direct", "interaction", "a", "b")
    }
    zeta = {d: flat(posterior["zeta"].sel(dimension=experiences[d])) for d in drugs}
    size = posterior.sizes["chain"] * posterior.sizes["draw"]
    loading = flat(posterior["loading"].mean("instrument")) if "loading" in posterior else np.full(size, 0.8)
    scalar = {name: flat(posterior[name]) for name in SCALARS if name in posterior}
    return Draws(
        scalar, by_drug, zeta, loading, float(items["outcome_sd"]), str(items.attrs.get("dose_shape", "linear"))
    )


@dataclass(frozen=True)
class Noise:
    """Standard normal numbers behind a trial's deviations (draw, ``DEVIATIONS``) and each arm's errors; one set serves all sizes."""

    trial: dict[str, Array]
    change: Array
    score: Array
    guess: Array


DEVIATIONS = ("first drug", "second drug", "therapy", "waiting", "experience", "association", "belief", "correlation")


def draw_noise(trial: PlannedTrial, draws: int, seed: int) -> Noise:
    """Draw the numbers for a trial."""
    rng = np.random.default_rng(seed)
    deviations = {name: rng.standard_normal(draws) for name in DEVIATIONS}
    return Noise(deviations, *(rng.standard_normal((draws, len(trial.arms))) for _ in range(3)))


def expected_arms(trial: PlannedTrial, known: Draws) -> tuple[Array, Array, Array]:
    """Expected change but the course, experience, and probit of belief of every arm (draw, arm)."""
    change, experience, probit = (np.zeros((known.size, len(trial.arms))) for _ in range(3))
    for k, arm in enumerate(trial.arms):
        x = float(dose_curve(np.array([arm.given]), known.dose_shape)[0])
        h = float(bool(arm.therapy))
        drug = arm.drug if arm.given > 0 else trial.drug
        a, b, direct, interaction = (
            known.by_drug[name].get(drug, np.zeros(known.size)) for name in ("a", "b", "direct", "interaction")
        )
        experience[:, k] = a * x * arm.experience + arm.experience_shift
        probit[:, k] = (
            known.get("g_0") + known.get("g_placebo") * arm.active_placebo + known.get("g_drug") * x
            + known.get("g_experience") * experience[:, k]
        )  # fmt: skip
        blind = ndtr(probit[:, k] / np.sqrt(1 + known.get("tau_belief") ** 2))
        belief = blind if arm.belief == "blind" else np.full(known.size, arm.believed(0.0, 1.0))
        change[:, k] = (
            known.get("psi") * h + direct * x + interaction * x * h + b * experience[:, k] + known.get("epsilon") * belief
            + known.get("omega") * arm.waiting_list
        )  # fmt: skip
    return change, experience, probit


def statistics_of(
    trial: PlannedTrial, known: Draws, noise: Noise, *, per_arm: float, outcome_sd: float, bias_sd: float
) -> Array:
    """A trial's summary statistics under each draw (draw, statistic)."""
    change, experience, probit = expected_arms(trial, known)
    n = np.array(trial.completers(per_arm))
    x = dose_curve(np.array([arm.given for arm in trial.arms]), known.dose_shape)
    h = np.array([bool(arm.therapy) for arm in trial.arms], float)
    waiting = np.array([arm.waiting_list for arm in trial.arms], float)
    drugs = sorted({arm.drug for arm in trial.arms if arm.given > 0})
    y = change + np.sqrt(outcome_sd**2 / n + bias_sd**2) * noise.change
    for drug, which in zip(drugs, ("first drug", "second drug"), strict=False):
        y += (known.get("tau") * noise.trial[which])[:, None] * (x * [arm.drug == drug for arm in trial.arms])
    for amount, name, which in ((h, "tau_therapy", "therapy"), (waiting, "tau_waitlist", "waiting")):
        y += (known.get(name) * noise.trial[which])[:, None] * amount
    parts = [y[:, 1:] - y[:, :1]]
    if "experience" in trial.measured and trial.drug:
        had = x * [arm.experience for arm in trial.arms]
        own = experience + (known.get("tau_a") * noise.trial["experience"])[:, None] * had
        score = known.loading[:, None] * own + noise.score / np.sqrt(n)
        within = np.tanh(known.zeta[trial.drug] + known.get("tau_zeta") * noise.trial["association"])
        z = np.arctanh(np.clip(known.loading * within, -0.999, 0.999))
        z += noise.trial["correlation"] / np.sqrt(max(n.sum() - 3 * len(n), 1.0))
        parts += [score[:, 1:] - score[:, :1], z[:, None]]
    blind = np.array([arm.belief == "blind" for arm in trial.arms])
    if "guess" in trial.measured and blind.any():
        p = ndtr(probit[:, blind] + (known.get("tau_belief") * noise.trial["belief"])[:, None])
        parts.append(p + np.sqrt(p * (1 - p) / n[blind]) * noise.guess[:, blind])
    return np.concatenate(parts, axis=1)


def estimand_draws(trial: PlannedTrial, estimand: str, known: Draws) -> Array:
    """What is asked, under each draw (draw,): as in the closed form, "mediated" is the experience's part less half the total."""
    if estimand in ("therapy", "expectancy", "waitlist"):
        return known.get({"therapy": "psi", "expectancy": "epsilon", "waitlist": "omega"}[estimand])
    if trial.drug not in known.drugs:
        return np.zeros(known.size)
    a, b, direct, interaction = (known.by_drug[name][trial.drug] for name in ("a", "b", "direct", "interaction"))
    if estimand in ("drug", "drug:therapy", "experience"):
        return {"drug": direct, "drug:therapy": interaction, "experience": a * b}[estimand]
    therapy = float(any(arm.therapy for arm in trial.arms if arm.given > 0))
    base, spread = known.get("g_0"), np.sqrt(1 + known.get("tau_belief") ** 2)
    with_drug = base + known.get("g_drug") + known.get("g_experience") * a
    believed = known.get("epsilon") * (ndtr(with_drug / spread) - ndtr(base / spread))
    return a * b - (direct + interaction * therapy + a * b + believed) / 2
