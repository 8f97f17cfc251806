"""What a mediation analysis says, as tables."""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd
import xarray as xr

from pillprocess.mediation.choices import Of
from pillprocess.mediation.effects import Scale, compute_effects
from pillprocess.mediation.paths import mediation_paths
from pillprocess.mediation.wording import scale_words
from pillprocess.output.tables import effect_table
from pillprocess.participants.table import Participants


def tabulated(
    idata: xr.DataTree, people: Participants, effects: Mapping[str, xr.Dataset], sensitivity: Mapping[tuple[str, str], xr.Dataset],
    convergence: pd.DataFrame, *, family_outcome: str, priors: pd.DataFrame, m: float | Mapping[str, float] | None,
    at: Mapping[str, float] | None, scale: Scale, of: Of | None = None,
) -> dict[str, pd.DataFrame]:  # fmt: skip
    """Tabulate what every mediation analysis says, by name, from a fit with draws of its prior."""
    arms = list(effects)
    return {
        "effects": by_arm({arm: described_effects(e, people, family_outcome) for arm, e in effects.items()}),
        "paths": by_arm({arm: mediation_paths(idata, arm=arm, of=of) for arm in arms}),
        "extrapolation": extrapolation(effects, [str(q) for q in idata["constant_data"]["mediator"].to_numpy()]),
        "prior_posterior": by_arm({arm: prior_posterior(idata, effects[arm], m=m, at=at, arm=arm, scale=scale, of=of) for arm in arms}),
        "sensitivity_curve": sensitivity_table(sensitivity, ["tnie"]),
        "sensitivity": sensitivity_table(sensitivity, ["rho_tipping", "tnie_rho_prior", "r2_product_residual", "r2_product_total"]),
        "benchmarks": sensitivity_table(sensitivity, ["benchmark_rho", "benchmark_tnie"]),
        "reliability": sensitivity_table(sensitivity, ["tnie_reliability"]),
        "e_values": pd.DataFrame(
            [{"arm": a, "mediator": q, **{k: s.attrs[k] for k in ("e_value", "e_value_limit")}} for (a, q), s in sensitivity.items()],
            columns=["arm", "mediator", "e_value", "e_value_limit"],
        ),
        "priors": priors,
        "missing": people.missing,
        "set_aside": people.set_aside,
        "convergence": convergence.reset_index(),
    }  # fmt: skip


def described_effects(effects: xr.Dataset, people: Participants, family_outcome: str) -> pd.DataFrame:
    """Tabulate effects with their ``scale``, the mediators' ``m`` of cde, and the ``median`` (that of a proportion is its estimate)."""
    table = effect_table(effects)
    of = {effects.attrs["of"]: effects.attrs["of_value"]} if effects.attrs["of"] else None
    event = None if people.event is None else str(people.event.name)
    scale = scale_words(
        effects.attrs["scale"], of, family_outcome=family_outcome, outcome=str(people.outcome.name), event=event
    )
    values = zip(people.mediators.columns, effects.attrs["m"], strict=True)
    level = ", ".join(f"{name} = {value:g}" for name, value in values)
    medians = [effects[name].median(("chain", "draw")).to_numpy().ravel() for name in effects.data_vars]
    share = table["estimand"] == "proportion_mediated"
    return table.assign(
        scale=np.where(share, "share of te", scale), m=np.where(table["estimand"] == "cde", level, ""),
        median=np.concatenate(medians),
    )  # fmt: skip


def extrapolation(effects: Mapping[str, xr.Dataset], mediators: Sequence[str]) -> pd.DataFrame:
    """Tabulate how far cde and pnde move each mediator, in SDs of the active arm."""
    rows = [
        {"arm": arm, "effect": name, "mediator": mediator, "distance": distance}
        for arm, draws in effects.items()
        for name in ("cde", "pnde")
        for mediator, distance in zip(mediators, draws.attrs[f"extrapolation_{name}"], strict=True)
    ]
    return pd.DataFrame(rows)


def prior_posterior(
    idata: xr.DataTree, effects: xr.Dataset, *, m: float | Mapping[str, float] | None, arm: str,
    at: Mapping[str, float] | None = None, scale: Scale = "difference", of: Of | None = None,
) -> pd.DataFrame:  # fmt: skip
    """Compare the implied prior of each effect with its posterior, in the columns of `plot_effects`."""
    names = [n for n in ("te", "pnde", "tnie", "pnie", "cde") if n in effects]
    prior = effect_table(compute_effects(idata, m=m, at=at, arm=arm, group="prior", scale=scale, of=of)[names])
    table = effect_table(effects[names]).rename(columns={"estimand": "parameter"})
    return table.assign(
        prior_sd=prior["sd"], prior_low=prior["ci_low"], prior_high=prior["ci_high"],
        contraction=np.clip(1 - table["sd"] ** 2 / prior["sd"] ** 2, 0, 1),
    )  # fmt: skip


def contrast_table(
    idata: xr.DataTree, people: Participants, family_outcome: str, *, m: float | Mapping[str, float] | None,
    at: Mapping[str, float] | None, scale: Scale, of: Of | None,
) -> pd.DataFrame:  # fmt: skip
    """Effects of every active arm against every later one, with the column ``reference``."""
    parts = []
    for reference, arm in combinations(map(str, people.treatment.columns), 2):
        effects = compute_effects(idata, arm=arm, reference=reference, m=m, at=at, scale=scale, of=of)
        part = described_effects(effects, people, family_outcome)
        parts.append(part[part["estimand"].isin(["te", "pnde", "tnie", "cde"])].assign(arm=arm, reference=reference))
    table = pd.concat(parts, ignore_index=True)
    return table[["arm", "reference", *(c for c in table.columns if c not in ("arm", "reference"))]]


def by_arm(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Put the tables of arms below one another, the arm first."""
    parts = []
    for arm, table in tables.items():
        part = table.copy()
        part.insert(0, "arm", arm)
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def sensitivity_table(sensitivity: Mapping[tuple[str, str], xr.Dataset], names: Sequence[str]) -> pd.DataFrame:
    """Tabulate some draws of sensitivity analyses, by arm and mediator."""
    parts = []
    for (arm, mediator), draws in sensitivity.items():
        kept = [name for name in names if name in draws]
        part = effect_table(draws[kept])
        part.insert(0, "mediator", mediator)
        part.insert(0, "arm", arm)
        parts.append(part)
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["arm", "mediator", "estimand"])
