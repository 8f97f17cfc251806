r"""What trials elsewhere say of the process terms that trials of these drugs hardly randomise: therapy, belief, the course.

Each row of ``data/process_priors.csv`` was read at its address. Belief is 0 to 1, so a manipulation that moved it by ``gap`` and
symptoms by g says :math:`\epsilon = g / gap`. The course is that of a waiting list. How far a term here may lie from the term
there is the transport scale (an SD) of :func:`pillprocess.synthesis` (``prior_transport_sd``), from 0, the same, to large, ignored.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr

from pillprocess.evidence.tables import embedded_folder
from pillprocess.synthesis.choices import OUTSIDE, depression_course
from pillprocess.synthesis.compiled import Refit
from pillprocess.synthesis.effects import mediated_share, path_table, usual_therapy
from pillprocess.synthesis.fits import items_of, refit_of
from pillprocess.synthesis.therapy_prior import therapy_prior

TRANSPORT = (0.05, 0.3, 1.0)
"""Scales on which the answer is shown: nearly the same here as there, by default, and hardly a hint."""


def belief_prior(manipulation: str = "drug announced") -> pd.Series:
    """Return what trials that manipulated expectation say of the belief term.

    Parameters
    ----------
    manipulation
        ``"drug announced"`` (open against blinded treatment with one drug) or ``"open-label placebo"``.

    Returns
    -------
    Series: ``prior_mean`` and ``prior_sd`` in SDs per unit of belief (negative is improvement), and the row of the table.

    Raises
    ------
    ValueError
        There is no such row.
    """
    return _row("belief", manipulation)


def course_prior(manipulation: str = "waiting list") -> pd.Series:
    """Return what waiting lists elsewhere say of the course of depression without treatment.

    Parameters
    ----------
    manipulation
        ``"waiting list"``.

    Returns
    -------
    As :func:`belief_prior`, in SDs.

    Raises
    ------
    ValueError
        There is no such row.
    """
    return _row("course", manipulation)


def outside_evidence(terms: Sequence[str] = OUTSIDE) -> dict[str, tuple[float, float]]:
    """Return the ``informed`` of :func:`pillprocess.synthesis`: therapy, belief and course as other treatments' trials have them.

    Parameters
    ----------
    terms
        Which of them; ``("therapy", "belief")`` for :func:`pillprocess.decomposition_design`.

    Returns
    -------
    Mean and SD by term: psychotherapy of depression against any control, :func:`belief_prior` and :func:`course_prior`.
    """
    rows = {"therapy": therapy_prior("depression", "any control"), "belief": belief_prior(), "course": course_prior()}
    return {name: (float(rows[name]["prior_mean"]), float(rows[name]["prior_sd"])) for name in terms}


def informed_effects(
    idata: xr.DataTree,
    *,
    seed: int,
    refit: Refit | None = None,
    informed: dict[str, tuple[float, float]] | None = None,
    scales: tuple[float, ...] = TRANSPORT,
    therapy: tuple[float, ...] = (0.0, 1.0),
    draws: int = 1000,
    chains: int = 4,
) -> pd.DataFrame:
    """Set the answer from trials of these drugs alone beside the answer informed from outside, over transport scales.

    Parameters
    ----------
    idata
        A fit of :func:`pillprocess.synthesis` without outside evidence.
    seed, draws, chains
        Of the refits, which must pass :func:`pillprocess.check_fit`.
    refit
        From :func:`pillprocess.compile_synthesis`, where the model is compiled already.
    informed
        As in :func:`pillprocess.synthesis`; :func:`outside_evidence` by default.
    scales
        SDs of the difference between a term here and elsewhere.
    therapy
        As in :func:`pillprocess.path_table`.

    Returns
    -------
    The table of :func:`pillprocess.path_table` with ``transport`` (missing: these trials alone; ``transport_name`` in words), ``usual``, 1
    in the setting most trials of the drug had, and ``p_most``.

    Raises
    ------
    ConvergenceError
        A refit did not converge.
    """
    refit, items = refit or refit_of(idata), items_of(idata)
    chosen, fits = _allowed(informed or outside_evidence(), items), {float("nan"): idata}
    for scale in scales:
        fits[scale] = refit(
            items,
            seed=seed,
            informed=chosen,
            prior_transport_sd=scale,
            draws=draws,
            chains=chains,
            checked=True,
            outcomes=False,
        )
    tables = []
    for scale, fit in fits.items():
        share = mediated_share(fit, therapy=therapy)[["drug", "therapy", "p_most"]]
        name = "these trials alone" if np.isnan(scale) else f"{scale:g}"
        table = path_table(fit, therapy=therapy).merge(share, on=["drug", "therapy"])
        tables.append(table.assign(transport=scale, transport_name=name))
    table = pd.concat(tables, ignore_index=True)
    return table.assign(usual=(table["drug"].map(usual_therapy(items)) == table["therapy"]).astype(int))


def transport_ledger(
    idata: xr.DataTree, informed: dict[str, tuple[float, float]] | None = None, *, scale: float = 0.3
) -> pd.DataFrame:
    """Say of each process term what trials here and trials elsewhere know, and whether they conflict.

    Parameters
    ----------
    idata
        A fit of :func:`pillprocess.synthesis` without outside evidence.
    informed
        As in :func:`pillprocess.synthesis`; :func:`outside_evidence` by default.
    scale
        SD of the difference between here and elsewhere.

    Returns
    -------
    DataFrame, one row per term: ``here``, ``here_sd``, ``elsewhere``, ``elsewhere_sd``, ``information_elsewhere``, the share of the
    combined precision that is outside's once transport is allowed for, ``kind``
    (``"randomised elsewhere, transported"`` where that is more than half), ``z``, the difference over its standard error with
    transport, and ``verdict``.
    """
    posterior, items = idata["posterior"].dataset, items_of(idata)
    at, rows = depression_course(items), []
    for name, (mean, sd) in _allowed(informed or outside_evidence(), items).items():
        if name == "course":
            draws = posterior["omega"] + posterior["mu"].isel(course=at)
        else:
            draws = posterior[{"therapy": "psi", "belief": "epsilon"}[name]]
        here, here_sd = float(draws.mean()), float(draws.std())
        precision = 1 / (sd**2 + scale**2)
        share = precision / (precision + here_sd**-2)
        z = (here - mean) / float(np.sqrt(here_sd**2 + sd**2 + scale**2))
        rows.append(
            {
                "term": name, "here": here, "here_sd": here_sd, "elsewhere": mean, "elsewhere_sd": sd, "information_elsewhere": share,
                "kind": "randomised elsewhere, transported" if share > 0.5 else "trials of these drugs", "z": z,
                "verdict": "they conflict" if abs(z) > 1.96 else "no conflict seen",
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def _allowed(informed: dict[str, tuple[float, float]], items: xr.Dataset) -> dict[str, tuple[float, float]]:
    """Leave out the course of depression where the items have no such course."""
    return {name: pair for name, pair in informed.items() if name != "course" or depression_course(items) is not None}


def _row(term: str, manipulation: str) -> pd.Series:
    table = pd.read_csv(embedded_folder() / "process_priors.csv")
    row = table[(table["term"] == term) & (table["manipulation"] == manipulation)]
    if row.empty:
        known = ", ".join(table.loc[table["term"] == term, "manipulation"])
        raise ValueError(f"nothing on {term} was read for the manipulation {manipulation!r}; there are: {known}")
    chosen = row.iloc[0]
    unit = 1.0 if chosen["unit"] == "SD" else _reference_sd(str(chosen["unit"]).removeprefix("points of "))
    scale = unit * float(chosen["gap"])
    se = (chosen["ci_high"] - chosen["ci_low"]) / (2 * 1.959964)
    return pd.concat([pd.Series({"prior_mean": chosen["mean"] / scale, "prior_sd": float(se / scale)}), chosen])


def _reference_sd(instrument: str) -> float:
    """One SD of an instrument in points, as the synthesis counts it."""
    instruments = pd.read_csv(embedded_folder() / "instruments.csv").set_index("instrument")
    return float(instruments.loc[instrument, "reference_sd"])
