"""How large a design must be, and which teaches most per patient or per cost."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from pillprocess.planning.trials import PlanningError

KEYS = ["design", "estimand"]


def sizes_needed(table: pd.DataFrame, *, assurances: Sequence[float] = (0.8, 0.9)) -> pd.DataFrame:
    """Read from the curves how many people per arm give each assurance.

    Parameters
    ----------
    table
        Rows of :func:`pillprocess.expected_information`.
    assurances
        Chances of the decision, between 0 and 1.

    Returns
    -------
    DataFrame, one row per design and estimand, in their order: ``decision``, ``decided_now``, a column ``n_80`` ... per assurance
    (people per arm randomised; blank where no size of the table reaches it) with ``n_80_low`` and ``n_80_high`` (the same read from the
    curve 1.96 Monte Carlo errors higher and lower), ``largest`` (the largest size), ``at_largest`` (the assurance there) and
    ``limit`` (that of a size of infinity, where the table has it: what no trial of this design exceeds).

    Raises
    ------
    PlanningError
        An assurance that is no probability, or a table without finite sizes.
    """
    if wrong := [p for p in assurances if not 0 < p < 1]:
        raise PlanningError(f"nothing was computed:\nassurance {wrong[0]:g}; it must lie between 0 and 1")
    finite = table[np.isfinite(table["n_per_arm"])]
    if finite.empty:
        raise PlanningError("nothing was computed:\nthe table has no finite size")
    rows = []
    for (design, estimand), own in finite.groupby(KEYS, sort=False):
        own = own.sort_values("n_per_arm")
        n, chance = own["n_per_arm"].to_numpy(float), np.maximum.accumulate(own["assurance"].to_numpy(float))
        row = {
            "design": design,
            "estimand": estimand,
            "decision": own["decision"].iloc[0],
            "decided_now": own["decided_now"].iloc[0],
        }
        error = 1.96 * own["assurance_se"].to_numpy(float)
        for p in assurances:
            name = f"n_{100 * p:.0f}"
            row[name] = _crossing(n, chance, p)
            row[f"{name}_low"] = _crossing(n, np.maximum.accumulate(chance + error), p)
            row[f"{name}_high"] = _crossing(n, np.maximum.accumulate(chance - error), p)
        end = table[(table["design"] == design) & (table["estimand"] == estimand) & np.isinf(table["n_per_arm"])]
        row |= {
            "largest": n[-1],
            "at_largest": chance[-1],
            "limit": float(end["assurance"].iloc[0]) if len(end) else np.nan,
        }
        rows.append(row)
    return pd.DataFrame(rows)


def _crossing(n: np.ndarray, chance: np.ndarray, wanted: float) -> float:
    """The size at which a rising curve passes a chance, between sizes by the logarithm, rounded up."""
    if chance[-1] < wanted:
        return float("nan")
    i = int(np.argmax(chance >= wanted))
    if i == 0:
        return float(n[0])
    part = (wanted - chance[i - 1]) / (chance[i] - chance[i - 1])
    return float(np.ceil(np.exp(np.log(n[i - 1]) + part * np.log(n[i] / n[i - 1])) - 1e-9))


def rank_designs(
    table: pd.DataFrame, *, people: float = 200.0, costs: Mapping[str, float] | None = None
) -> pd.DataFrame:
    """Rank designs, estimand by estimand, by what so many people would teach.

    Parameters
    ----------
    table
        Rows of :func:`pillprocess.expected_information`.
    people
        People randomised in all, whatever the number of arms; between sizes of the table the curves are read by their logarithm.
    costs
        Cost of one person, by design; designs without one have blanks.

    Returns
    -------
    DataFrame, by estimand, the best first: ``estimand``, ``rank``, ``design``, ``people``, ``sd_now``, ``reduction``, ``information``
    (in bits: half the binary logarithm of variance now over expected variance after), ``bits_per_100`` (per hundred people),
    ``assurance`` with ``assurance_low`` and ``assurance_high`` (1.96 Monte Carlo errors), ``cost`` (of the trial) and ``bits_per_million``
    (per million units of cost). Estimands without a posterior SD are ranked by assurance.

    Raises
    ------
    PlanningError
        A number of people outside the table's sizes, a cost that is not positive, or one for a design the table lacks.
    """
    costs = dict(costs or {})
    problems = [f"costs['{name}']: the table has no such design" for name in costs if name not in set(table["design"])]
    problems += [
        f"costs['{name}'] = {value:g}; the cost of one person must be > 0"
        for name, value in costs.items()
        if not value > 0
    ]
    finite = table[np.isfinite(table["n_per_arm"])]
    rows = []
    for (design, estimand), own in finite.groupby(KEYS, sort=False):
        own = own.sort_values("people")
        size = own["people"].to_numpy(float)
        if not len(size) or not size[0] <= people <= size[-1]:
            problems.append(f"people = {people:g}: the sizes of '{design}' run from {size[0]:g} to {size[-1]:g} people")
            continue
        read = ("reduction", "assurance", "assurance_se")
        at = {c: float(np.interp(np.log(people), np.log(size), own[c].to_numpy(float))) for c in read}
        bits = 0.5 * np.log2(1 / (1 - at["reduction"])) if at["reduction"] < 1 else np.nan
        cost, error = costs.get(str(design), np.nan) * people, 1.96 * at["assurance_se"]
        rows.append(
            {
                "estimand": estimand, "design": design, "people": people, "sd_now": own["sd_now"].iloc[0], "reduction": at["reduction"],
                "information": bits, "bits_per_100": 100 * bits / people, "assurance": at["assurance"],
                "assurance_low": max(0.0, at["assurance"] - error), "assurance_high": min(1.0, at["assurance"] + error), "cost": cost,
                "bits_per_million": 1e6 * bits / cost,
            }
        )  # fmt: skip
    if problems:
        raise PlanningError("nothing was computed:\n" + "\n".join(problems))
    ranked = pd.DataFrame(rows)
    by = ranked["information"].fillna(ranked["assurance"]) if not costs else ranked["bits_per_million"].fillna(-1.0)
    order = {e: i for i, e in enumerate(dict.fromkeys(table["estimand"]))}
    ranked = ranked.assign(by=-by, place=ranked["estimand"].map(order)).sort_values(["place", "by"], kind="stable")
    ranked.insert(1, "rank", ranked.groupby("place").cumcount() + 1)
    return ranked.drop(columns=["by", "place"]).reset_index(drop=True)
