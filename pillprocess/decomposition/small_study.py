r"""Small-study terms: how far a small trial exaggerates, as columns of the design.

.. math:: \theta_{jk} \leftarrow \theta_{jk} + (\gamma + g_d)\, x_{jk}, \quad g_d \sim N(0, (s/2)^2)

on the difference of a drug and its control, whatever the row's form: a difference carries x itself, of two arms the one that
got more of the drug carries it. x is the standard error of that difference (PET) or its square (PEESE), or
:math:`\sqrt{1/n + 1/n}` (or its square) where ``_size`` asks for a measure that the outcomes cannot contaminate. The effect
that remains, :math:`\delta + v_d`, is that of a trial of infinite size.
"""

from typing import Literal

import numpy as np
import pandas as pd

from pillprocess.decomposition.columns import Columns
from pillprocess.rows.drug_contrasts import CONTROLS, drug_differences

SmallStudy = Literal["pet", "peese", "pet_size", "peese_size"]
SMALL_STUDY = {"pet": ("se", 1), "peese": ("se", 2), "pet_size": ("size", 1), "peese_size": ("size", 2)}
USUAL_SD = {1: 1.0, 2: 3.0}


def small_study_column(rows: pd.DataFrame, small_study: str) -> np.ndarray:
    """The value x of every row (row,); 0 where a row compares no doses of a drug.

    Raises
    ------
    ValueError
        An unknown name; a size that is not known where size is asked for.
    """
    if small_study not in SMALL_STUDY:
        raise ValueError(f"small_study = {small_study!r}; it must be one of {', '.join(SMALL_STUDY)}")
    by, power = SMALL_STUDY[small_study]
    table = drug_differences(rows)
    table = table[table["control"].isin(CONTROLS)]
    if by == "size":
        size = np.sqrt(1 / table["n_arm"].astype(float) + 1 / table["n_reference"].astype(float))
        lacking = table.loc[~np.isfinite(size), "label"]
        if len(lacking):
            raise ValueError(
                f"nothing was fitted: small_study = {small_study!r} needs n of both arms, not known for {', '.join(lacking)}"
            )
    else:
        size = table["se"].astype(float)
    at = {(t, a, r if k == "contrast" else ""): s for t, a, r, k, s in zip(
        table["trial"], table["arm"], table["reference_arm"], table["kind"], size, strict=True
    )}  # fmt: skip
    reference = rows["reference_arm"].where(rows["kind"] == "contrast", "")
    keys = zip(rows["trial"], rows["arm"], reference, strict=True)
    return np.array([at.get(key, 0.0) for key in keys]) ** power


def add_small_study(
    columns: Columns, rows: pd.DataFrame, drugs: list[str], small_study: str, prior_sd: float | None
) -> None:
    """Add the common slope ``gamma``, and with several drugs each one's deviation ``g`` from it."""
    x = small_study_column(rows, small_study)
    sd = USUAL_SD[SMALL_STUDY[small_study][1]] if prior_sd is None else prior_sd
    columns.coefficient("gamma", "", "", "small study", x, sd, kept=True)
    for drug in drugs if len(drugs) > 1 else []:
        columns.coefficient(
            "g", "drug", drug, "small study", x * (rows["drug_given"] == drug).to_numpy(), sd / 2, kept=True
        )
