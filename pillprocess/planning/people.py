r"""People of a trial that has not been run: experience, guess and change of everybody, from stated effects.

For person i in an arm with dose x, therapy h and the part w of the experience that is had,

.. math::

    M_i &= a x w + \Delta + e_i, \quad e_i \sim N(0, 1) & \text{experience, in its SDs} \\
    G_i &\sim Bernoulli(\Phi(\Phi^{-1}(p_0) + \{\Phi^{-1}(p_1) - \Phi^{-1}(p_0)\} M_i / a)) & \text{guess, where blinded} \\
    Y_i &= c x + \psi h + b M_i + \epsilon G_i + r B_i + d_i & \text{change, in reference SDs}

with baseline :math:`B \sim N(0, 1)`. The errors e and d may be correlated: a common cause of experience and change that nobody measured.
"""

from dataclasses import dataclass, fields

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri

from pillprocess.gaussian.normal_equations import Array
from pillprocess.planning.comparisons import BELIEVED
from pillprocess.planning.trials import PlannedTrial, PlanningError


@dataclass(frozen=True)
class TrialTruth:
    """What is true of the people of a simulated trial.

    Attributes
    ----------
    raises : float
        a, SDs of experience that a reference dose brings.
    experience : float
        b, change per SD of experience, in reference SDs; negative is improvement.
    drug : float
        c, the drug's effect that runs through neither experience nor belief.
    therapy, belief : float
        Effects of therapy and of believing that one had the drug.
    baseline : float
        r, change per SD of the baseline.
    sd : float
        SD of d.
    confounding : float
        Correlation of e and d.
    reliability : float
        Of the measured experience: the squared correlation of measure and experience within arms.
    visits : int
        Visits after dosing; the analysis takes their mean.
    visit_correlation : float
        Correlation of two visits' errors in one person.
    believed : tuple of float
        Shares of blinded arms without and with the drug that believe they had it.
    """

    raises: float = 2.0
    experience: float = -0.2
    drug: float = -0.2
    therapy: float = 0.0
    belief: float = 0.0
    baseline: float = -0.5
    sd: float = 0.9
    confounding: float = 0.0
    reliability: float = 1.0
    visits: int = 1
    visit_correlation: float = 0.7
    believed: tuple[float, float] = BELIEVED


def truth_problems(truth: TrialTruth) -> list[str]:
    """Everything about stated effects that is not possible."""
    problems = [
        f"{field.name} = {getattr(truth, field.name)}; it must be finite"
        for field in fields(truth)
        if not np.isfinite(np.asarray(getattr(truth, field.name), float)).all()
    ]
    limits = (
        ("sd", truth.sd > 0, "> 0"), ("raises", truth.raises != 0, "different from 0"),
        ("confounding", -1 < truth.confounding < 1, "between -1 and 1"), ("reliability", 0 < truth.reliability <= 1, "above 0, at most 1"),
        ("visits", truth.visits >= 1 and truth.visits == int(truth.visits), "a whole number, at least 1"),
        ("visit_correlation", 0 <= truth.visit_correlation < 1, "at least 0, below 1"),
        ("believed", all(0 < p < 1 for p in truth.believed), "two shares between 0 and 1"),
    )  # fmt: skip
    return problems + [
        f"{name} = {getattr(truth, name)}; it must be {wanted}" for name, right, wanted in limits if not right
    ]


@dataclass(frozen=True)
class ArmOfPeople:
    """One arm's people, each array (data set, person): baseline, measured experience, guess, change at each visit (..., visit)."""

    baseline: Array
    experience: Array
    guess: Array
    change: Array


def draw_arm(
    trial: PlannedTrial, arm: int, n: int, truth: TrialTruth, rng: np.random.Generator, *, data_sets: int = 1
) -> ArmOfPeople:
    """Draw the people of one arm, nobody lost."""
    planned, shape = trial.arms[arm], (data_sets, n)
    e = rng.standard_normal(shape)
    M = truth.raises * planned.given * planned.experience + planned.experience_shift + e
    guess = rng.random(shape) < chance_of_belief(trial, arm, M, truth)
    baseline = rng.standard_normal(shape)
    common = truth.confounding * e
    own = np.sqrt(1 - truth.confounding**2)
    v = truth.visit_correlation
    lasting, passing = rng.standard_normal(shape), rng.standard_normal((*shape, truth.visits))
    single = truth.visits == 1
    error = common[..., None] + own * (
        passing if single else np.sqrt(v) * lasting[..., None] + np.sqrt(1 - v) * passing
    )
    own_effect = truth.drug * planned.given + truth.therapy * bool(planned.therapy)
    mean = own_effect + truth.experience * M + truth.belief * guess + truth.baseline * baseline
    measured = M + np.sqrt(1 / truth.reliability - 1) * rng.standard_normal(shape)
    return ArmOfPeople(baseline, measured, guess.astype(float), mean[..., None] + truth.sd * error)


def chance_of_belief(trial: PlannedTrial, arm: int, M: Array, truth: TrialTruth) -> Array:
    """Chance that a person with experience M believes to have had the drug."""
    planned = trial.arms[arm]
    if planned.belief != "blind":
        return np.full_like(M, planned.believed(*truth.believed))
    low, high = ndtri(truth.believed)
    return np.asarray(ndtr(low + (high - low) * M / truth.raises))


def simulate_trial(design: PlannedTrial, truth: TrialTruth | None = None, *, seed: int) -> pd.DataFrame:
    """Simulate the participant table of a planned trial.

    Parameters
    ----------
    design
        The trial; its n, dropout and what it measures hold.
    truth
        What is true of its people; the defaults of ``TrialTruth`` where left out.
    seed
        Seed of the draws.

    Returns
    -------
    DataFrame, one row per person: ``participant``, ``arm``, ``baseline``, ``experience`` and ``guess`` (``drug`` or ``placebo``) where
    they are measured, and ``change`` (``change_1``, ``change_2`` ... with several visits), blank for people who dropped out, at random.

    Raises
    ------
    PlanningError
        Effects that are not possible.
    """
    truth = TrialTruth() if truth is None else truth
    if problems := truth_problems(truth):
        raise PlanningError("nothing was computed:\n" + "\n".join(problems))
    rng = np.random.default_rng(seed)
    parts = []
    for k, arm in enumerate(design.arms):
        people = draw_arm(design, k, arm.n, truth, rng)
        change = people.change[0]
        change[rng.random(arm.n) < design.dropout] = np.nan
        table = pd.DataFrame({"arm": arm.name, "baseline": people.baseline[0]}, index=range(arm.n))
        if "experience" in design.measured:
            table["experience"] = people.experience[0]
        if "guess" in design.measured:
            table["guess"] = np.where(people.guess[0] > 0, "drug", "placebo")
        names = ["change"] if truth.visits == 1 else [f"change_{v + 1}" for v in range(truth.visits)]
        parts.append(table.assign(**dict(zip(names, change.T, strict=True))))
    whole = pd.concat(parts, ignore_index=True)
    whole.insert(0, "participant", [f"p{i + 1}" for i in range(len(whole))])
    return whole
