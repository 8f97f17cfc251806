"""Calibration of the time course, on the days, doses and standard errors of the embedded evidence.

Arms are simulated one by one with NumPy: a course that the arms of a trial share, an effect that decays, and errors that are
autoregressive over an arm's visits. Nothing of the model's own matrices is used.
"""

import hashlib
from collections.abc import Callable

import numpy as np
import pandas as pd
import xarray as xr

from pillprocess.calibration.ranks import Case, Replicate
from pillprocess.evidence.tables import load_evidence
from pillprocess.timecourse.estimands import time_effects
from pillprocess.timecourse.fit import fit_time_course
from pillprocess.timecourse.model import PRIORS
from pillprocess.timecourse.rows import time_contrasts, time_rows, time_set_aside

DRAWS = 1000
DAYS = (1.0, 42.0)


def decay() -> Case:
    """Exponential decay of all drugs, fitted by quadrature."""
    rows = time_rows(load_evidence())
    rows = rows[~rows["label"].isin(time_set_aside(rows)["row"])].reset_index(drop=True)
    design = time_contrasts(rows)

    def build() -> Callable[[np.random.Generator], Replicate]:
        def run(rng: np.random.Generator) -> Replicate:
            truth, data = simulate(rows, design, rng)
            fit = fit_time_course(data, seed=int(rng.integers(0, 2**63)), draws=DRAWS)
            table = fit["constant_data"].dataset.to_dataframe()
            return Replicate(quantities(truth, table), quantities(fit["posterior"].dataset, table), 0)

        return run

    numbers = design.drop(columns=["y", "n_doses"]).to_csv(index=False, float_format="%.9g", lineterminator="\n")
    return Case({"design": hashlib.sha256(numbers.encode()).hexdigest()[:16], "fit_draws": DRAWS}, build)


def simulate(rows: pd.DataFrame, design: pd.DataFrame, rng: np.random.Generator) -> tuple[xr.Dataset, pd.DataFrame]:
    """Draw every parameter from its prior, and new outcomes of all rows given them.

    Parameters
    ----------
    rows
        Rows of `time_rows` that the model uses.
    design
        Their `time_contrasts`: days, doses and standard errors of published differences.
    rng
        Random generator.

    Returns
    -------
    The parameters, as a posterior of one draw, and the rows with new ``y``.
    """
    drugs = sorted(set(design["drug"]))
    log_typical = np.log(PRIORS["half_life"]) + PRIORS["log_half_life_sd"] * rng.standard_normal()
    spread, rho = PRIORS["spread_sd"] * abs(rng.standard_normal()), rng.random()
    tau, eta = PRIORS["tau_sd"] * abs(rng.standard_normal()), PRIORS["therapy_rate_sd"] * rng.standard_normal()
    half_life = np.exp(log_typical + spread * rng.standard_normal(len(drugs)))
    delta = PRIORS["size_sd"] * rng.standard_normal(len(drugs))
    kappa = PRIORS["interaction_sd"] * rng.standard_normal(len(drugs))
    y = pd.Series(0.0, index=rows.index)
    for trial, compared in design.groupby("trial"):
        own = rows[rows["trial"] == trial]
        days = sorted(set(compared["day"]))
        since = compared.drop_duplicates("day").set_index("day")["days_from_last_dose"]
        d, therapy = drugs.index(compared["drug"].iloc[0]), compared["therapy"].iloc[0]
        size = delta[d] + kappa[d] * therapy + tau * rng.standard_normal()
        course = np.cumsum(0.3 * rng.standard_normal(len(days)))
        noise = {
            arm: autoregressive(rho, len(days), rng) for arm in sorted({*compared["arm"], *compared["reference_arm"]})
        }
        se = {(r.arm, r.day): (r.se_arm, r.se_reference, r.dose_reference) for r in compared.itertuples()}
        for at, row in own.iterrows():
            k = days.index(row["time_days"])
            effect = size * 2.0 ** (-since[days[k]] / (half_life[d] * np.exp(eta * therapy)))
            if row["kind"] == "arm":
                y[at] = course[k] + row["dose"] * effect + row["se"] * noise[row["arm"]][k]
            else:
                of_arm, of_reference, lower = se[row["arm"], row["time_days"]]
                error = of_arm * noise[row["arm"]][k] - of_reference * noise[row["reference_arm"]][k]
                y[at] = (row["dose"] - lower) * effect + error
    one, each = ("chain", "draw"), ("chain", "draw", "drug")
    scalars = {"rho": rho, "tau": tau, "eta": eta, "spread": spread, "typical_half_life": np.exp(log_typical)}
    vectors = {"delta": delta, "kappa": kappa, "half_life": half_life}
    truth = xr.Dataset(
        {k: (one, [[v]]) for k, v in scalars.items()} | {k: (each, [[v]]) for k, v in vectors.items()},
        coords={"chain": [0], "draw": [0], "drug": drugs},
    )
    return truth, rows.assign(y=y)


def autoregressive(rho: float, visits: int, rng: np.random.Generator) -> np.ndarray:
    """Errors of one arm in standard errors: each visit's is rho times the last one's and something new."""
    out = rng.standard_normal(visits)
    for k in range(1, visits):
        out[k] = rho * out[k - 1] + np.sqrt(1 - rho**2) * out[k]
    return out


def quantities(draws: xr.Dataset, table: pd.DataFrame) -> xr.Dataset:
    """Test quantities of draws: every parameter, effects on two days in both settings, the log-likelihood."""
    here = xr.DataTree.from_dict(
        {
            "/": xr.Dataset(attrs={"shape": "decay"}),
            "/posterior": draws,
            "/constant_data": xr.Dataset.from_dataframe(table),
        }
    )
    effect = time_effects(here, days=DAYS).drop_vars(["trials", "evidence"])
    names = ["rho", "tau", "eta", "spread", "typical_half_life", "delta", "kappa", "half_life"]
    return draws[names].assign(effect=effect, log_likelihood=log_likelihood(draws, table))


def log_likelihood(draws: xr.Dataset, table: pd.DataFrame) -> xr.DataArray:
    """Log density of all differences given each draw, trials' own deviations integrated out."""
    total: xr.DataArray | float = 0.0
    for (_, drug), rows in table.groupby(["trial", "drug"]):
        therapy, own = rows["therapy"].iloc[0], draws.sel(drug=drug)
        days, gap = rows["days_from_last_dose"].to_numpy(), (rows["dose_arm"] - rows["dose_reference"]).to_numpy()
        half_life = (own["half_life"] * np.exp(own["eta"] * therapy)).to_numpy()[..., None]
        z = gap * np.exp2(-days / half_life)
        residual = rows["y"].to_numpy() - z * (own["delta"] + own["kappa"] * therapy).to_numpy()[..., None]
        apart = np.abs(np.subtract.outer(rows["visit"].to_numpy(), rows["visit"].to_numpy()))
        shared = np.outer(rows["se_reference"], rows["se_reference"]) * np.equal.outer(
            rows["reference_arm"].to_numpy(), rows["reference_arm"].to_numpy()
        )
        base = (
            np.outer(rows["se_arm"], rows["se_arm"]) * np.equal.outer(rows["arm"].to_numpy(), rows["arm"].to_numpy())
            + shared
        )
        rho, tau = (own[name].to_numpy()[..., None, None] for name in ("rho", "tau"))
        factor = np.linalg.cholesky(base * rho**apart + tau**2 * z[..., None] * z[..., None, :])
        white = np.linalg.solve(factor, residual[..., None])[..., 0]
        log_determinant = np.log(np.diagonal(factor, axis1=-2, axis2=-1)).sum(-1)
        total = total - 0.5 * (white**2).sum(-1) - log_determinant - 0.5 * len(rows) * np.log(2 * np.pi)
    return xr.DataArray(total, dims=("chain", "draw"))
