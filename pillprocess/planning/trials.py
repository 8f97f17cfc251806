"""A candidate trial: its arms, how many people, what is measured; checked once, before anything is computed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from math import isfinite

NO_DRUG = ("none", "placebo")
BELIEFS = ("blind", "open", "equal")
MEASURES = ("outcome", "experience", "guess")


class PlanningError(ValueError):
    """Trials that cannot be planned as they were written; the message lists every reason, and nothing was computed."""


@dataclass(frozen=True)
class PlannedArm:
    """One arm of a candidate trial.

    Attributes
    ----------
    name : str
    n : int
        People randomised to it.
    drug : str
        A drug of the evidence, ``"placebo"`` or ``"none"``.
    dose : float
        In reference doses of the drug (psilocybin 25 mg, MDMA 125 mg, LSD 200 ug, ketamine 0.5 mg/kg, esketamine 84 mg).
    therapy : str
        Type of therapy; empty where there is none.
    therapy_hours : float
        Hours of it outside dosing days.
    experience : float
        Part of the dose's experience that is had: 1 all, 0 none (general anaesthesia, a blocker), .5 half.
    experience_shift : float
        What else moves the experience, in its SDs: a setting that deepens it by one SD has 1.
    belief : str or float
        Share that believes it had the drug: ``"blind"`` (as in the blinded trials of the evidence), ``"open"`` (all know),
        ``"equal"`` (half in every arm), or the share itself.
    active_placebo, waiting_list : bool
    """

    name: str
    n: int = 2
    drug: str = "none"
    dose: float = 1.0
    therapy: str = ""
    therapy_hours: float = 0.0
    experience: float = 1.0
    experience_shift: float = 0.0
    belief: str | float = "blind"
    active_placebo: bool = False
    waiting_list: bool = False

    @property
    def given(self) -> float:
        """Dose in reference doses; 0 without a study drug."""
        return 0.0 if self.drug in NO_DRUG else self.dose

    def believed(self, control: float, active: float) -> float:
        """Share that believes it had the drug, where blinded trials have these shares without it and with it."""
        if not isinstance(self.belief, str):
            return float(self.belief)
        if self.belief == "equal":
            return 0.5
        if self.belief == "open":
            return float(self.given > 0)
        return control + (active - control) * min(self.experience, 1.0) * float(self.given > 0)


@dataclass(frozen=True)
class PlannedTrial:
    """A candidate trial, as :func:`trial_design` checks it.

    Attributes
    ----------
    name : str
    arms : tuple of PlannedArm
    dropout : float
        Share of the people without an outcome, missing at random, alike in all arms.
    measured : tuple of str
        ``"outcome"``, ``"experience"``, ``"guess"``.
    construct : str
        What the outcome measures.
    cluster_size, cluster_icc : float
        People per therapist, and how alike their outcomes are.
    cost : float, optional
        Per person randomised, in any currency.
    source : str
        Where the design comes from.
    """

    name: str
    arms: tuple[PlannedArm, ...]
    dropout: float = 0.0
    measured: tuple[str, ...] = MEASURES
    construct: str = "depression"
    cluster_size: float = 1.0
    cluster_icc: float = 0.0
    cost: float | None = None
    source: str = ""

    @property
    def drug(self) -> str:
        """The trial's drug: that of its first arm with one; empty where none has."""
        return next((arm.drug for arm in self.arms if arm.given > 0), "")

    @property
    def people(self) -> int:
        """People randomised."""
        return sum(arm.n for arm in self.arms)

    def completers(self, per_arm: float) -> list[float]:
        """Number of outcomes per arm, as much as independent ones are worth, at a mean size per arm; allocation as planned."""
        worth = (1 - self.dropout) / (1 + (self.cluster_size - 1) * self.cluster_icc)
        return [arm.n / self.people * len(self.arms) * per_arm * worth for arm in self.arms]

    def sized(self, per_arm: float) -> "PlannedTrial":
        """The same trial with so many people per arm on average."""
        scale = per_arm * len(self.arms) / self.people
        arms = tuple(replace(arm, n=max(2, round(arm.n * scale))) for arm in self.arms)
        return replace(self, arms=arms)


def trial_design(
    name: str,
    arms: Mapping[str, Mapping[str, object]],
    *,
    dropout: float = 0.0,
    measured: Iterable[str] = MEASURES,
    construct: str = "depression",
    cluster_size: float = 1.0,
    cluster_icc: float = 0.0,
    cost: float | None = None,
    source: str = "",
) -> PlannedTrial:
    """Describe a candidate trial.

    Parameters
    ----------
    name
        What tables and figures call it.
    arms
        Per arm, by name, the attributes of a ``PlannedArm``: ``{"drug": {"drug": "psilocybin", "n": 40}, ...}``. What is left out
        is as there: no drug, the reference dose, no therapy, the whole experience, blinded.
    dropout
        Share of the people without an outcome.
    measured
        From ``"outcome"``, ``"experience"``, ``"guess"``.
    construct
        Construct of the outcome, as in the evidence.
    cluster_size, cluster_icc
        People per therapist or site, and their intraclass correlation: the sampling variance grows by 1 + (size - 1) icc.
    cost
        Per person randomised.
    source
        Where the design comes from.

    Returns
    -------
    The trial, frozen.

    Raises
    ------
    PlanningError
        Anything that is not possible, all of it at once.
    """
    allowed = {field.name for field in fields(PlannedArm)} - {"name"}
    problems: list[str] = []
    made = []
    for label, given in arms.items():
        unknown = sorted(set(given) - allowed)
        if unknown:
            problems.append(
                f"trial '{name}', arm '{label}': unknown {', '.join(unknown)}; known are {', '.join(sorted(allowed))}"
            )
        made.append(PlannedArm(label, **{k: v for k, v in given.items() if k in allowed}))  # type: ignore[arg-type]
    trial = PlannedTrial(
        name, tuple(made), dropout, tuple(measured), construct, float(cluster_size), float(cluster_icc), cost, source
    )  # fmt: skip
    problems += trial_problems(trial)
    if problems:
        raise PlanningError("nothing was computed:\n" + "\n".join(problems))
    return trial


def trial_problems(trial: PlannedTrial) -> list[str]:
    """Everything about a trial that is not possible, whatever the evidence."""
    where = f"trial '{trial.name}'"
    problems = []
    if len(trial.arms) < 2:
        problems.append(f"{where}: {len(trial.arms)} arm; a comparison needs two")
    if not 0 <= trial.dropout < 1:
        problems.append(f"{where}: dropout = {trial.dropout:g}; it must be at least 0 and below 1")
    if unknown := sorted(set(trial.measured) - set(MEASURES)):
        problems.append(f"{where}: measured names {', '.join(unknown)}; known are {', '.join(MEASURES)}")
    if "outcome" not in trial.measured:
        problems.append(f"{where}: the outcome is not among what is measured; every trial here measures it")
    if not (trial.cluster_size >= 1 and 0 <= trial.cluster_icc <= 1):
        problems.append(
            f"{where}: cluster_size = {trial.cluster_size:g}, cluster_icc = {trial.cluster_icc:g}; the size must be at least 1 and the "
            "correlation between 0 and 1"
        )
    if trial.cost is not None and not trial.cost > 0:
        problems.append(f"{where}: cost = {trial.cost:g}; the cost of one person must be > 0")
    for arm in trial.arms:
        problems += [f"{where}, arm '{arm.name}': {text}" for text in _arm_problems(arm)]
    return problems


def _arm_problems(arm: PlannedArm) -> list[str]:
    problems = []
    if not (isinstance(arm.n, int) and arm.n >= 2):
        problems.append(f"n = {arm.n}; an arm needs a whole number of people, at least 2")
    numbers = {"dose": arm.dose, "therapy_hours": arm.therapy_hours, "experience": arm.experience}
    for name, value in numbers.items():
        if not (isinstance(value, int | float) and isfinite(value) and value >= 0):
            problems.append(f"{name} = {value}; it must be a number, at least 0")
    if not (isinstance(arm.experience_shift, int | float) and isfinite(arm.experience_shift)):
        problems.append(f"experience_shift = {arm.experience_shift}; it must be a number, in SDs")
    if arm.drug not in NO_DRUG and arm.dose == 0:
        problems.append(f"dose = 0 of {arm.drug}; write drug = 'placebo' for an arm without it")
    if arm.therapy_hours and not arm.therapy:
        problems.append(f"{arm.therapy_hours:g} hours of therapy, but no type of therapy")
    if arm.waiting_list and arm.drug != "none":
        problems.append(f"a waiting list that gives {arm.drug}; an untreated arm has drug = 'none'")
    if arm.active_placebo and arm.drug != "placebo":
        problems.append(f"an active placebo with drug = '{arm.drug}'; it must be 'placebo'")
    if isinstance(arm.belief, str) and arm.belief not in BELIEFS:
        problems.append(f"belief = '{arm.belief}'; it must be {', '.join(BELIEFS)}, or a share between 0 and 1")
    elif not isinstance(arm.belief, str) and not 0 <= arm.belief <= 1:
        problems.append(f"belief = {arm.belief}; a share must be between 0 and 1")
    return problems
