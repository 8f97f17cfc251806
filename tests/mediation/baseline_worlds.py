"""Trials by plain NumPy in which some lack their baseline, and least squares in place of the sampler."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pillprocess.mediation.baselines import impute_baselines
from pillprocess.mediation.imputed import pool_imputed_estimates


@dataclass(frozen=True)
class World:
    """Treatment raises the mediator and lowers the outcome; who has a bad outcome lacks the baseline more often."""

    depends_on: str = "y"
    """What a missing baseline depends on; ``"x"`` is the baseline itself, which breaks missing at random."""
    interaction: float = 0.0
    """Of treatment and mediator."""
    skewed: bool = False
    """A baseline that is exponential."""

    @property
    def truth(self) -> dict[str, float]:
        """True coefficients: of treatment, the mediator, the baseline, and the interaction where there is one."""
        return {"c": -0.5, "b": 0.5, "g": 0.5} | ({"theta": self.interaction} if self.interaction else {})


def trial(world: World, n: int, rng: np.random.Generator) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The whole trial, and what of it was seen."""
    arm = np.arange(n) % 2
    x = rng.exponential(size=n) - 1 if world.skewed else rng.normal(size=n)
    m = 0.5 * arm + 0.6 * x + rng.normal(size=n)
    y = -0.5 * arm + 0.5 * m + world.interaction * arm * m + 0.5 * x + rng.normal(size=n)
    whole = pd.DataFrame({"arm": arm, "x": x, "m": m, "y": y})
    by = whole[world.depends_on]
    gone = rng.random(n) < 1 / (1 + np.exp(1 - 2 * by / by.std()))
    return whole, whole.assign(x=whole["x"].where(~gone))


def least_squares(world: World, table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients of treatment, mediator, baseline (and interaction), and their standard errors."""
    t, m, x, y = (table[c].to_numpy(float) for c in ("arm", "m", "x", "y"))
    D = np.column_stack([np.ones(len(t)), t, m, x, *([t * m] if world.interaction else [])])
    inverse = np.linalg.inv(D.T @ D)
    beta = inverse @ D.T @ y
    variance = ((y - D @ beta) ** 2).sum() / (len(y) - D.shape[1])
    return beta[1:], np.sqrt(variance * np.diag(inverse))[1:]


def simulate(world: World, *, trials: int, n: int, m: int, seed: int, by_arm: bool = False) -> pd.DataFrame:
    """Per coefficient: bias with nothing missing, of complete cases and of pooled files; how often 95 % intervals hold the truth."""
    rng, truth, rows = np.random.default_rng(seed), world.truth, []
    for k in range(trials):
        all_seen, seen = trial(world, n, rng)
        whole, whole_se = least_squares(world, all_seen)
        complete = least_squares(world, seen.dropna())[0]
        tables = impute_baselines(
            seen, baselines=["x"], arm="arm", others=["m", "y"], m=m, seed=k, by_arm=by_arm, burn=15, sweeps=4
        )
        q, se = (np.array(part) for part in zip(*(least_squares(world, t) for t in tables), strict=True))
        for j, (name, value) in enumerate(truth.items()):
            pooled = pool_imputed_estimates(q[:, j], se[:, j]).iloc[0]
            rows.append(
                {
                    "coefficient": name, "missing": seen["x"].isna().mean(), "whole": whole[j] - value,
                    "whole_covered": abs(whole[j] - value) < 1.97 * whole_se[j], "complete": complete[j] - value,
                    "imputed": pooled["estimate"] - value, "covered": pooled["ci_low"] <= value <= pooled["ci_high"],
                }
            )  # fmt: skip
    return pd.DataFrame(rows).groupby("coefficient").mean()
