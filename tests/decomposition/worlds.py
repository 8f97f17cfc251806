"""Worlds that the decomposition may or may not assume: trials of the real shape, people first, by code that is not the package's.

Each world takes the rows of the model (which trials have which arms, doses, therapy and people) and gives them new outcomes: people
are drawn, an arm's change is their mean and its standard error their SD over the root of n. Nothing here calls the package.
"""

import numpy as np
import pandas as pd

WORLDS = {
    "true": "the model is true",
    "selection_20": "of trials whose drug contrast is not significant, 20 % are published",
    "selection_0": "only trials with a significant drug contrast are published",
    "unblinding": "believing to have had the drug improves by .5, and most guess right",
    "emax": "dose-response saturates: 2x / (1 + x) against linear",
    "wrong_se": "a fifth of the trials print half their standard error",
    "floor": "nobody can improve by more than their baseline allows",
    "t_effects": "trials' own drug effects are t-distributed with 2 degrees of freedom",
    "outlier": "one trial's drug effect is 1.8 SD larger than all others'",
    "two_kinds": "in half of the trials the drug does -1.25, in the others -.05",
    "small_study": "the drug effect grows by 2 SD per unit of standard error",
    "trend": "the drug effect shrinks from -1.15 to -.15 from the first trial to the last",
    "course_and_drug": "where the control arm improves more, the drug adds less (r = -.9)",
}  # fmt: skip

COURSE, THERAPY, WAITING, COMPARATOR, DRUG, INTERACTION = -0.45, -0.15, 0.3, -0.2, -0.65, -0.1
TAU_COURSE, TAU_DRUG, TAU_THERAPY, PERSON_SD = 0.25, 0.3, 0.1, 1.0
FLOOR_MEAN, FLOOR_SD = 1.5, 0.5
TRIES = 60


def simulate(
    arms: pd.DataFrame, contrasts: pd.DataFrame, world: str, rng: np.random.Generator
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """New outcomes for the rows, as they would come out in a world."""
    rows = pd.concat([arms, contrasts], ignore_index=True)
    out = rows.copy()
    trials = list(dict.fromkeys(rows["trial"]))
    drugs = {d: 0.1 * rng.standard_normal() for d in sorted(set(rows["study_drug"]))}
    odd = trials[rng.integers(len(trials))]
    if world == "outlier":  # a trial that compares the drug
        odd = rng.choice(sorted(rows.loc[(rows["kind"] == "contrast") | (rows["role"] != "active"), "trial"].unique()))
    halved = set(rng.choice(trials, len(trials) // 5, replace=False)) if world == "wrong_se" else set()
    for position, trial in enumerate(trials):
        here = rows[rows["trial"] == trial]
        share = position / (len(trials) - 1)
        for _ in range(TRIES):
            y, se = _trial(here, world, rng, drugs[here["study_drug"].iloc[0]], share, odd=trial == odd)
            if not world.startswith("selection") or _published(here, y, se, world, rng):
                break
        out.loc[here.index, "y"] = y
        out.loc[here.index, "se"] = se / (2 if trial in halved else 1)
    return out[out["kind"] == "arm"].reset_index(drop=True), out[out["kind"] == "contrast"].reset_index(drop=True)


def _trial(
    here: pd.DataFrame, world: str, rng: np.random.Generator, own_drug: float, share: float, *, odd: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Means and standard errors of a trial's rows from its people."""
    m = TAU_COURSE * rng.standard_normal()
    u = TAU_DRUG * (rng.standard_t(2) / 1.5 if world == "t_effects" else rng.standard_normal())
    if world == "course_and_drug":
        u = TAU_DRUG * (-0.9 * m / TAU_COURSE + np.sqrt(1 - 0.81) * rng.standard_normal())
    if world == "two_kinds":
        u = rng.choice([-0.6, 0.6])
    if world == "trend":
        u += share - 0.5
    if world == "outlier" and odd:
        u -= 1.8
    if world == "small_study":
        u -= 2.0 * (
            float(np.sqrt((2 / here[["n", "n_arm"]].bfill(axis=1).iloc[:, 0].fillna(20) * PERSON_SD**2).mean())) - 0.35
        )
    w = TAU_THERAPY * rng.standard_normal()
    right = rng.uniform(0.6, 0.95)

    def person_mean(arm: pd.Series, prefix: str) -> float:
        dose, therapy = float(arm[f"{prefix}dose"]), float(arm[f"{prefix}therapy"])
        amount = 2 * dose / (1 + dose) if world == "emax" else dose
        value = (
            COURSE
            + m
            + (THERAPY + w) * therapy
            + WAITING * float(arm[f"{prefix}waitlist"])
            + COMPARATOR * float(arm[f"{prefix}comparator"])
        )
        value += (DRUG + own_drug + u) * amount + INTERACTION * dose * therapy
        if world == "unblinding":
            value -= 0.5 * (right if dose > 0 else 1 - right)
        return value

    people: dict[str, tuple[float, float]] = {}

    def arm_mean(name: str, expected: float, n: float) -> tuple[float, float]:
        if name not in people:
            size = int(n) if n > 1 else 20
            change = expected + PERSON_SD * rng.standard_normal(size)
            if world == "floor":
                change = np.maximum(change, -(FLOOR_MEAN + FLOOR_SD * rng.standard_normal(size)))
            people[name] = (
                float(change.mean()),
                float(change.std(ddof=1) / np.sqrt(size)) if size > 3 else PERSON_SD / np.sqrt(size),
            )
        return people[name]

    y, se = np.empty(len(here)), np.empty(len(here))
    for i, (_, row) in enumerate(here.iterrows()):
        if row["kind"] == "arm":
            y[i], se[i] = arm_mean(row["arm"], person_mean(row, ""), row["n"])
        else:
            one = arm_mean(row["arm"], person_mean(row, ""), row["n_arm"])
            other = arm_mean(row["reference_arm"], person_mean(row, "reference_"), row["n_reference"])
            y[i], se[i] = one[0] - other[0], float(np.hypot(one[1], other[1]))
    return y, np.maximum(se, 0.05)


def _published(here: pd.DataFrame, y: np.ndarray, se: np.ndarray, world: str, rng: np.random.Generator) -> bool:
    """Whether a trial with this drug contrast is published; a trial without one always is."""
    if (here["kind"] == "contrast").all():
        i = int(np.argmax(here["dose"].to_numpy(float) - here["reference_dose"].to_numpy(float)))
        gap, difference, error = here["dose"].iloc[i] - here["reference_dose"].iloc[i], y[i], se[i]
    else:
        high, low = int(np.argmax(here["dose"].to_numpy(float))), int(np.argmin(here["dose"].to_numpy(float)))
        gap = here["dose"].iloc[high] - here["dose"].iloc[low]
        difference, error = y[high] - y[low], float(np.hypot(se[high], se[low]))
    significant = difference / error < -1.96
    return bool(gap <= 0 or significant or rng.random() < (0.2 if world == "selection_20" else 0.0))
