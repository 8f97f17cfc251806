"""Published mediation analyses, fitted again: published and reproduced figures side by side."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from pillprocess.inference.fit import check_fit, fit
from pillprocess.mediation.effects import compute_effects
from pillprocess.mediation.model import mediation
from pillprocess.mediation.sensitivity import mediation_sensitivity
from pillprocess.output.tables import effect_table
from pillprocess.participants.table import load_participants
from pillprocess.published.dataset_files import DatasetError
from pillprocess.published.datasets import fetch_jobs, fetch_psiconnect

JOBS_COVARIATES = ("econ_hard", "sex", "age", "occp", "marital", "nonwhite", "educ", "income")

JOBS = "JOBS II: workshop, job search self-efficacy, depression"
DIARY = "Bolger & Laurenceau ch. 9: work stress, work dissatisfaction, relationship dissatisfaction"
PSICONNECT = "PsiConnect: MEQ30 and change of DASS depression, 19 mg psilocybin, healthy people, open label"
B_ALONE = "correlation alone: no comparator, so no mediation"

PUBLISHED: dict[tuple[str, str], dict[str, tuple[float, float, float]]] = {
    (JOBS, "no interaction"): {
        "tnie": (-0.01375, -0.031812, 0.003299), "pnde": (-0.03873, -0.11938, 0.04668), "te": (-0.05247, -0.13431, 0.0315),
        "tnie at rho -0.30": (0.0064, -0.0025, 0.0153), "tnie at rho -0.25": (0.0028, -0.0026, 0.0082),
        "tnie at rho -0.20": (-0.0007, -0.0049, 0.0036), "tnie at rho -0.15": (-0.0040, -0.0105, 0.0025),
        "rho_tipping": (-0.20, np.nan, np.nan),
    },
    (JOBS, "with interaction"): {
        "pnie": (-0.01899, -0.045271, 0.003649), "tnie": (-0.01203, -0.02964, 0.002195),
        "pnde": (-0.03596, np.nan, np.nan), "tnde": (-0.02899, np.nan, np.nan), "te": (-0.04799, np.nan, np.nan),
    },
    (DIARY, "random effects of 100 people"): {
        "a": (0.189, 0.12, 0.26), "b": (0.151, 0.09, 0.21), "pnde": (0.104, 0.06, 0.15), "te": (0.161, 0.11, 0.21),
        "tnie": (0.057, 0.03, 0.09), "cov_ab": (0.028, np.nan, np.nan), "proportion_mediated": (0.357, 0.21, 0.52),
    },
    (PSICONNECT, B_ALONE): {"r": (0.02, -0.26, 0.30)},
}  # fmt: skip
"""Published mean and interval by case and estimand. JOBS II: Tingley et al. 2014, doi:10.18637/jss.v059.i05 (each
sensitivity interval holds the sampling error at that correlation alone). Diary: Vuorre & Bolger 2018,
doi:10.3758/s13428-017-0980-9. PsiConnect, doi:10.82901/nemar.on006110: computed from its public scores, none being published."""


def reproduce_mediation(
    *, folder: str | Path | None = None, seed: int = 1, draws: int = 2000, progress: bool = False
) -> pd.DataFrame:
    """Fit the published mediation analyses again.

    Parameters
    ----------
    folder
        Folder that holds ``jobs.csv``, ``BLch9.csv`` and, for PsiConnect, ``participants.csv``. Without one JOBS II is fetched;
        the diary study has no public address as a table (export it from the R package bmlm:
        ``write.csv(bmlm::BLch9, "BLch9.csv", row.names = FALSE)``), and `fetch_psiconnect` says how to join its tables.
    seed, draws
        Seed of the sampler, and draws per chain.
    progress
        Show the sampler's progress.

    Returns
    -------
    DataFrame with ``case``, ``model``, ``quantity``, ``published``, ``published_low``, ``published_high``, ``reproduced``
    (posterior mean), ``ci_low``, ``ci_high`` and ``note``, which says why a case was not run.

    Raises
    ------
    ConvergenceError
        A fit did not converge.
    """
    found: dict[tuple[str, str], pd.DataFrame] = {}
    refused: dict[str, str] = {}
    try:
        table = fetch_jobs(folder=folder)
    except DatasetError as error:
        refused[JOBS] = str(error)
    else:
        found |= dict(_jobs(table, seed, draws, progress))
    diary = None if folder is None else Path(folder) / "BLch9.csv"
    if diary is not None and diary.is_file():
        found |= dict(_diary(diary, seed, draws, progress))
    else:
        refused[DIARY] = "give folder=... a folder that holds BLch9.csv, exported from the R package bmlm"
    try:
        found[PSICONNECT, B_ALONE] = correlation(
            fetch_psiconnect(folder=folder), "MEQ30_MEAN", "DASS_DEPRESSION_change"
        )
    except DatasetError as error:
        refused[PSICONNECT] = str(error)
    rows = []
    for (case, model), published in PUBLISHED.items():
        for quantity, (mean, low, high) in published.items():
            row = {
                "case": case,
                "model": model,
                "quantity": quantity,
                "published": mean,
                "published_low": low,
                "published_high": high,
            }
            if (case, model) in found:
                own = found[case, model].loc[quantity]
                row |= {"reproduced": own["mean"], "ci_low": own["ci_low"], "ci_high": own["ci_high"], "note": ""}
            else:
                row |= {"reproduced": np.nan, "ci_low": np.nan, "ci_high": np.nan, "note": f"not run: {refused[case]}"}
            rows.append(row)
    return pd.DataFrame(rows)


def _jobs(table: pd.DataFrame, seed: int, draws: int, progress: bool) -> Iterator[tuple[tuple[str, str], pd.DataFrame]]:
    people = load_participants(
        table, treatment="treat", reference=0, outcome="depress2", mediators="job_seek", baseline="depress1",
        covariates=JOBS_COVARIATES,
    )  # fmt: skip
    for model, interaction in (("no interaction", False), ("with interaction", True)):
        idata = fit(mediation(people, interaction=interaction), seed=seed, draws=draws, progress=progress)
        check_fit(idata)
        effects = compute_effects(idata)
        if not interaction:
            sensitivity = mediation_sensitivity(idata, rho=[-0.30, -0.25, -0.20, -0.15])
            curve = {
                f"tnie at rho {float(r):.2f}": sensitivity["tnie"].sel(rho=r, drop=True) for r in sensitivity["rho"]
            }
            effects = effects.assign(curve | {"rho_tipping": sensitivity["rho_tipping"]})
        yield (JOBS, model), _summary(effects)


def _diary(path: Path, seed: int, draws: int, progress: bool) -> Iterator[tuple[tuple[str, str], pd.DataFrame]]:
    people = load_participants(
        path, treatment="x", treatment_kind="dose", reference=0, active=1, outcome="y", mediators="m", trial="id",
        repeated_rows="modelled",
    )  # fmt: skip
    idata = fit(mediation(people, interaction=False), seed=seed, draws=draws, progress=progress)
    check_fit(idata)
    posterior = idata["posterior"].dataset
    slopes = {name: posterior[name].squeeze(drop=True) for name in ("a", "b")}
    yield (DIARY, "random effects of 100 people"), _summary(compute_effects(idata).assign(slopes))


def correlation(table: pd.DataFrame, first: str, second: str) -> pd.DataFrame:
    """Correlate two columns over the people who have both.

    Parameters
    ----------
    table
        One row per person.
    first, second
        Names of the columns.

    Returns
    -------
    DataFrame with one row ``r``: Pearson's ``mean``, ``ci_low`` and ``ci_high`` (95 %, Fisher's z) and ``n``.
    """
    pair = table[[first, second]].dropna()
    r, half = float(pair.corr().iloc[0, 1]), 1.959964 / np.sqrt(len(pair) - 3)
    low, high = np.tanh(np.arctanh(r) + np.array([-half, half]))
    return pd.DataFrame({"mean": r, "ci_low": low, "ci_high": high, "n": len(pair)}, index=["r"])


def _summary(draws: xr.Dataset) -> pd.DataFrame:
    return effect_table(draws).set_index("estimand")
