"""The multiverse: every combination of the choices an analyst could have made, each fitted in closed form."""

import itertools
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr

from pillprocess.decomposition.model import decomposition_design
from pillprocess.decomposition.shares import share_table
from pillprocess.evidence.tables import Evidence
from pillprocess.gaussian.design_checks import parameter_names
from pillprocess.gaussian.fit import Grid, in_canonical_order, integrate
from pillprocess.gaussian.left_out import heaviest
from pillprocess.gaussian.normal_equations import combination_moments, combined
from pillprocess.gaussian.quadrature import QuadratureError
from pillprocess.rows.contrasts import model_rows
from pillprocess.rows.terms import HEADLINE

type Rows = tuple[pd.DataFrame, pd.DataFrame] | str

DEPRESSION = "depression only"
Z975 = 1.959964
NODES = 300
CHOICES: dict[str, tuple[str, ...]] = {
    "belief": ("without", "with"),
    "drug_x_therapy": ("with", "without"),
    "baseline": ("exchangeable", "free"),
    "dose": ("linear", "log", "emax"),
    "heterogeneity": ("halfnormal", "invgamma"),
    "evidence": ("all", "published only", DEPRESSION, "nothing borrowed"),
}
"""The declared choices; the first of each is the headline's. *belief* and *drug_x_therapy*: whether the model has the term. *nothing
borrowed*: without borrowed SDs and assumed doses."""

QUANTITIES = ("drug", "interaction", "therapy", "share", "share_process")


def multiverse(
    evidence: Evidence,
    *,
    choices: Mapping[str, Sequence[str]] = CHOICES,
    step: Callable[[int, int], None] = lambda done, of: None,
) -> pd.DataFrame:
    """Fit the decomposition under every combination of the declared choices.

    Parameters
    ----------
    evidence
        The checked tables.
    choices
        Options by choice, from ``CHOICES``; a choice that is left out stays at the headline's.
    step
        Called after each specification with the number done and the number of all.

    Returns
    -------
    DataFrame, one row per specification: a column per choice, ``rows``, ``trials``, and mean and 95 % limits of ``drug`` (the pooled
    effect at the reference dose without therapy), ``interaction``, ``therapy``, ``share`` (of the drug arms' change that is not the
    drug's, the interaction counted as the drug's) and ``share_process`` (counted as the process's), ``share_trials`` and ``reason``:
    why a specification could not be fitted, or "". What a specification does not have is missing.

    Raises
    ------
    ValueError
        A choice or an option that is not declared.

    References
    ----------
    Steegen et al. 2016, doi:10.1177/1745691616658637; Simonsohn, Simmons & Nelson 2020, doi:10.1038/s41562-020-0912-z.
    """
    problems = [
        f"unknown choice {name!r}; declared are {', '.join(CHOICES)}" for name in choices if name not in CHOICES
    ]
    problems += [
        f"{name}: {option!r} is not an option; declared are {', '.join(CHOICES[name])}"
        for name, options in choices.items() if name in CHOICES for option in options if option not in CHOICES[name]
    ]  # fmt: skip
    if problems:
        raise ValueError("no specification was fitted:\n" + "\n".join(problems))
    options = {name: tuple(choices.get(name, of[:1])) for name, of in CHOICES.items()}
    made = {depressed: _model_rows(evidence, depressed) for depressed in {w == DEPRESSION for w in options["evidence"]}}
    tables = {which: _rows_of(made[which == DEPRESSION], which) for which in options["evidence"]}
    combinations = list(itertools.product(*options.values()))
    found = []
    for number, values in enumerate(combinations, 1):
        specification = dict(zip(options, values, strict=True))
        found.append(specification | _fitted(specification, tables[specification["evidence"]]))
        step(number, len(combinations))
    numbers = [f"{name}{end}" for name in QUANTITIES for end in ("", "_low", "_high")]
    return pd.DataFrame(found).reindex(columns=[*CHOICES, "rows", "trials", *numbers, "share_trials", "reason"])


def _model_rows(evidence: Evidence, depressed: bool) -> Rows:
    """Arms and differences of all outcomes or of depression alone, or why there are none."""
    try:
        return model_rows(evidence, constructs=("depression",) if depressed else None)
    except ValueError as error:
        return str(error)


def _rows_of(made: Rows, which: str) -> Rows:
    """Those that an option keeps."""
    if isinstance(made, str):
        return made
    arms, differences = made
    if which == "published only":
        arms, differences = (table[table["published"] == 1] for table in (arms, differences))
    if which == "nothing borrowed":
        arms, differences = (
            table[~table["se_from"].str.startswith("borrowed") & ~table["dose_from"].str.startswith("assumed")]
            for table in (arms, differences)
        )
    return arms.reset_index(drop=True), differences.reset_index(drop=True)


def _fitted(specification: dict[str, str], tables: Rows) -> dict[str, object]:
    """Estimates of one specification, or the reason there are none."""
    if isinstance(tables, str):
        return {"reason": tables}
    terms = HEADLINE | ({"expectancy"} if specification["belief"] == "with" else set())
    terms -= {"drug:therapy"} if specification["drug_x_therapy"] == "without" else set()
    try:
        design = in_canonical_order(
            decomposition_design(
                *tables, terms=terms, baseline="free" if specification["baseline"] == "free" else "exchangeable",
                dose_shape=specification["dose"], prior_tau="invgamma" if specification["heterogeneity"] == "invgamma" else "halfnormal",
            )
        )  # fmt: skip
        grid = integrate(design, tolerance=1e-2)
    except (ValueError, QuadratureError) as error:
        return {"reason": str(error).replace("\n", " ")}
    out: dict[str, object] = {
        "rows": design.sizes["row"],
        "trials": len(np.unique(design["trial"].to_numpy())),
        "reason": "",
    }
    out |= _terms(design, grid)
    try:
        shares = share_table(design, grid)
    except ValueError as error:
        return out | {"reason": f"no share: {error}"}
    for name, row in (("share", shares.iloc[0]), ("share_process", shares.iloc[-1])):
        out |= {name: row["mean"], f"{name}_low": row["ci_low"], f"{name}_high": row["ci_high"]}
    return out | {"share_trials": int(shares["trials"].iloc[0])}


def _terms(design: xr.Dataset, grid: Grid) -> dict[str, object]:
    """Mean and 95 % limits of the pooled terms; their posteriors are near normal, and the limits are those of a normal."""
    names = {"delta": "drug", "kappa": "interaction", "psi": "therapy"}
    parameters = [*parameter_names(design, "coefficient"), *parameter_names(design, "effect")]
    present = [variable for variable in names if variable in parameters]
    weights = np.array([[float(p == variable) for variable in present] for p in parameters])
    tau, weight = heaviest(grid, NODES)
    mean, sd = combination_moments(combined(grid.system, weights), tau)
    centre = mean @ weight
    spread = np.sqrt((sd**2 + (mean - centre[:, None]) ** 2) @ weight)
    out: dict[str, object] = {}
    for variable, m, s in zip(present, centre, spread, strict=True):
        name = names[variable]
        out |= {name: m, f"{name}_low": m - Z975 * s, f"{name}_high": m + Z975 * s}
    return out
