"""Does each stop of the belief slider hold the truth of its own world? People first, by code that is not the package's.

In every world a person's change is -.5 in the course, the drug's effect in the trial where it was given, belief's own effect where one
believes to have had it, and noise of SD 1. Over trials the drug's effect is larger where more people in the drug arm than in the
control arm believe, as where improvement moves guesses: its slope on that gap and belief's own effect add up to -.8. A share of the
slope is thus belief's own, and the drug's own effect is -.4 on average. ``python benchmarks/belief_share_worlds.py [data sets]`` (200)
prints, for each true share and each stop, the mean and how often the 95 % interval holds -.4; then the same where guesses are known
in a fifth of the trials and the others have their mean.
"""

import sys

import numpy as np
import pandas as pd

from pillprocess.decomposition.belief_shares import SHARES, belief_share_curve
from pillprocess.decomposition.model import decomposition_design

DRUG, SLOPE, COURSE, SPREAD, TRIALS = -0.4, -0.8, -0.5, 0.15, 24
TERMS = {"drug", "therapy", "drug:therapy", "expectancy"}


def world(rng: np.random.Generator, share: float, known: float) -> pd.DataFrame:
    """Arms of one body of trials in which a share of the slope is belief's own."""
    high, low = rng.uniform(0.55, 1.0, TRIALS), rng.uniform(0.05, 0.5, TRIALS)
    told = rng.permutation(TRIALS) < round(known * TRIALS)
    gap, rows = high - low, []
    for j in range(TRIALS):
        effect = DRUG + (1 - share) * SLOPE * (gap[j] - 0.5) + SPREAD * rng.standard_normal()
        course = COURSE + 0.2 * rng.standard_normal()
        for arm, dose, rate, mean in (
            ("drug", 1.0, high[j], high[told].mean()),
            ("placebo", 0.0, low[j], low[told].mean()),
        ):
            n = int(rng.integers(15, 61))
            believes = rng.random(n) < rate
            change = course + effect * dose + share * SLOPE * believes + rng.standard_normal(n)
            rows.append(
                {
                    "trial": f"t{j}", "arm": arm, "label": f"t{j}: {arm}", "kind": "arm", "reference_arm": "", "unit": "sd",
                    "role": "active", "study_drug": "psilocybin", "drug_given": "psilocybin", "condition": "MDD", "construct": "depression",
                    "instrument": "MADRS", "y": change.mean(), "se": change.std(ddof=1) / n**0.5, "therapy_hours": np.nan,
                    "expectancy": rate if told[j] else mean, "expectancy_from": "", "dose": dose, "therapy": 0.0, "waitlist": 0.0,
                    "comparator": 0.0, "experience": 0.0,
                }
            )  # fmt: skip
    return pd.DataFrame(rows)


def main(datasets: int) -> None:
    """Print a row per world and stop."""
    for known in (1.0, 0.2):
        for truth in (0.0, 0.5, 1.0):
            rng, found = np.random.default_rng(1), []
            for _ in range(datasets):
                design = decomposition_design(world(rng, truth, known), terms=TERMS)
                found.append(
                    belief_share_curve(design, therapy=(0.0,)).assign(
                        held=lambda t: t["ci_low"].lt(DRUG) & t["ci_high"].gt(DRUG)
                    )
                )
            table = pd.concat(found).groupby("share")[["mean", "held"]].mean().loc[list(SHARES)]
            for share, row in table.iterrows():
                print(
                    f"known {known:.1f}  truth {truth:.1f}  stop {share:.2f}  mean {row['mean']:+.3f}  holds {row['held']:.3f}",
                    flush=True,
                )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
