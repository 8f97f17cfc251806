"""Who is counted where: a pooled analysis speaks only where the trials that it pools are silent."""

import pandas as pd

from pillprocess.evidence.tables import Evidence


def counted_elsewhere(evidence: Evidence) -> pd.Series:
    """Say for every trial which of the trials that hold the same people give an effect of their own, or ''.

    A trial names them in ``counted_in``. They have an effect if an included primary outcome has a mean, or if a primary
    difference between arms is included.
    """
    outcomes, contrasts = evidence.outcomes, evidence.contrasts
    mean = outcomes["change_mean"].notna() | (outcomes["post_mean"].notna() & outcomes["baseline_mean"].notna())
    by_arm = outcomes[mean & (outcomes["include"] == 1) & (outcomes["primary"] == 1)]
    differs = (contrasts["include"] == 1) & (contrasts["primary"] == 1) & (contrasts["level"] == "between_arm")
    included = set(evidence.trials.loc[evidence.trials["include"] == 1, "trial_id"])
    speaking = included & {*by_arm["trial_id"], *contrasts.loc[differs, "trial_id"]}
    named = evidence.trials.set_index("trial_id")["counted_in"].fillna("").astype(str)
    return named.map(lambda cell: ", ".join(name for name in cell.split(";") if name in speaking))
