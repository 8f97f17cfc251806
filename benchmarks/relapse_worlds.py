"""Does relapse, read through the curve, give the right half-life where people do not relapse as the model assumes?

``python benchmarks/relapse_worlds.py 60``: each data set has six trials with scores on day 1 alone and two withdrawal trials of 100 people
an arm, drawn person by person with NumPy, true half-lives of 10, 30 and 100 days. Worlds: people relapse whose average symptoms
pass a threshold (as assumed); whose symptoms pass it in any week, with weekly fluctuations that fade; the same, and only people who had
improved enter. Prints the share of 95 % intervals that hold the half-life, and the median of posterior medians.
"""

import sys

import numpy as np
import pandas as pd
from scipy.stats import norm

import pillprocess as pp

WORLDS = ("average", "any week", "any week, improved people")
SIZE, WEEKS, PEOPLE = -0.8, 18, 100


SCORES = {
    "kind": "arm", "reference_arm": "", "study_drug": "esketamine", "drug_given": "esketamine", "design": "parallel",
    "construct": "depression", "instrument": "MADRS", "time_days": 1.0, "randomised": 1, "therapy": 0.0, "waitlist": 0.0,
    "comparator": 0.0, "published": 1, "redosing": 0, "days_from_last_dose": 1.0,
}  # fmt: skip


def shares(world: str, half_life: float, rng: np.random.Generator) -> list[float]:
    """Shares that relapse with the drug going on every week, and stopped."""
    out = []
    for goes_on in (True, False):
        people = 40 * PEOPLE if "improved" in world else PEOPLE
        person, effect = rng.standard_normal(people), SIZE + 0.4 * rng.standard_normal(people)
        if "improved" in world:
            better = np.flatnonzero(0.7 * person + effect + 0.7 * rng.standard_normal(people) < -1.0)[:PEOPLE]
            person, effect = person[better], effect[better]
        days = np.arange(WEEKS) * 7.0
        left = (
            np.full(WEEKS, np.mean(0.5 ** (np.arange(7) / half_life))) if goes_on else 0.5 ** ((days + 3.5) / half_life)
        )
        if world == "average":
            relapsed = person + effect.mean() * left.mean() > 0.3
        else:
            noise = rng.standard_normal((len(person), WEEKS))
            for week in range(1, WEEKS):
                noise[:, week] = 0.8 * noise[:, week - 1] + 0.6 * noise[:, week]
            symptoms = 0.7 * person[:, None] + effect[:, None] * left + 0.7 * noise
            relapsed = (symptoms > 1.0).any(axis=1)
        out.append(float(np.clip(relapsed.mean(), 0.03, 0.97)))
    return out


def body(world: str, half_life: float, rng: np.random.Generator) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows of scores and of relapse."""
    scores = []
    for j in range(6):
        for arm, dose in (("placebo", 0.0), ("drug", 1.0)):
            people = (
                -0.4 + dose * (SIZE + 0.1 * rng.standard_normal()) * 0.5 ** (1 / half_life) + rng.standard_normal(40)
            )
            mean, se = people.mean(), people.std(ddof=1) / 40**0.5
            named = {
                "trial": f"s{j}",
                "arm": arm,
                "label": f"s{j}: {arm}, day 1",
                "n": 40.0,
                "y": mean,
                "se": se,
                "dose": dose,
            }
            scores.append(named | SCORES)
    relapse = []
    for j in range(2):
        p = np.array(shares(world, half_life, rng))
        z = norm.ppf(p)
        parts = np.sqrt(p * (1 - p) / PEOPLE) / norm.pdf(z)
        relapse.append(
            {
                "trial": f"w{j}", "label": f"w{j}", "drug": "esketamine", "arm": f"on{j}", "reference_arm": f"off{j}", "day": 126.0,
                "days_from_last_dose": np.nan, "n_doses": np.nan, "visit": 0.0,
                "y": z[0] - z[1], "se": np.hypot(*parts), "se_arm": parts[0],
                "se_reference": parts[1], "dose_arm": 1.0, "dose_reference": 1.0, "n_arm": 100.0, "n_reference": 100.0, "therapy": 0.0,
                "published": 1, "construct": "depression", "instrument": "relapse", "kind": "relapse", "from_arm": 0.0, "until_arm": 7.0,
                "from_reference": 0.0, "until_reference": 7.0 * WEEKS,
            }
        )  # fmt: skip
    return pd.DataFrame(scores), pd.DataFrame(relapse)


def main(datasets: int) -> None:
    lines = []
    for world in WORLDS:
        for half_life in (10.0, 30.0, 100.0):
            found = []
            for i in range(datasets):
                scores, relapse = body(
                    world, half_life, np.random.default_rng([5, WORLDS.index(world), int(half_life), i])
                )
                table = pp.half_life_table(pp.fit_time_course(scores, relapse=relapse, seed=i, draws=1000)).iloc[0]
                found.append(
                    (table["ci_low"] < half_life < table["ci_high"], table["median"], table["ci_low"], table["ci_high"])
                )
            share, *rest = np.array(found, float).T
            lines.append((world, half_life, share.mean(), *(np.median(x) for x in rest)))
            print(
                pd.DataFrame(lines, columns=["world", "half-life", "held", "median", "low", "high"])
                .round(2)
                .to_string(),
                flush=True,
            )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 60)
