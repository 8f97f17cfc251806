"""How often does the indirect effect's interval hold the truth when a confounder of mediator and outcome is not measured?

Linear Gaussian trials are simulated and analysed by least squares written out here, with flat-prior posteriors; the
residual correlation is drawn from its prior as ``mediation_sensitivity`` draws it.

python benchmarks/confounding_coverage.py
"""

import numpy as np
import pandas as pd

A, B, DIRECT = 1.0, -0.4, -0.3


def coverage(
    correlation: float, *, prior_sd: tuple[float, ...], n: int, replications: int, seed: int, draws: int = 1000
) -> pd.DataFrame:
    """Share of simulated trials whose 95 % interval of the indirect effect holds a b, for each SD of the prior of rho."""
    rng = np.random.default_rng(seed)
    held = dict.fromkeys(prior_sd, 0)
    for _ in range(replications):
        treated = np.repeat([0.0, 1.0], n // 2)
        error = rng.multivariate_normal([0, 0], [[1, correlation], [correlation, 1]], size=len(treated))
        mediator = A * treated + error[:, 0]
        outcome = DIRECT * treated + B * mediator + error[:, 1]
        a, sd_m = regression(np.column_stack([treated, np.ones_like(treated)]), mediator, draws, rng)
        b, sd_y = regression(np.column_stack([mediator, treated, np.ones_like(treated)]), outcome, draws, rng)
        for sd in prior_sd:
            rho = sd * rng.standard_normal(3 * draws)
            rho = rho[np.abs(rho) < 1][:draws] if sd else np.zeros(draws)
            # the slope that the data show is b + rho sd_y / (sd_m sqrt(1 - rho^2)), sd_y given the mediator
            indirect = a * (b - rho * sd_y / (sd_m * np.sqrt(1 - rho**2)))
            low, high = np.quantile(indirect, [0.025, 0.975])
            held[sd] += low <= A * B <= high
    return pd.DataFrame(
        {"correlation": correlation, "n": n, "prior_sd": list(held), "coverage": [h / replications for h in held.values()]}
    )  # fmt: skip


def regression(
    design: np.ndarray, outcome: np.ndarray, draws: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Posterior draws of the first coefficient and of the residual SD under a flat prior."""
    inverse = np.linalg.inv(design.T @ design)
    fitted = inverse @ design.T @ outcome
    free = len(outcome) - design.shape[1]
    residual = ((outcome - design @ fitted) ** 2).sum()
    sd = np.sqrt(residual / rng.chisquare(free, draws))
    return fitted[0] + sd * np.sqrt(inverse[0, 0]) * rng.standard_normal(draws), sd


def main() -> None:
    tables = [
        coverage(r, prior_sd=(0.0, 0.1, 0.2, 0.25, 0.3), n=n, replications=500, seed=1)
        for r in (0.0, -0.2, -0.36, -0.5)
        for n in (60, 200)
    ]
    table = pd.concat(tables).pivot_table(index=["correlation", "n"], columns="prior_sd", values="coverage")
    print(table.round(2).to_string())


if __name__ == "__main__":
    main()
