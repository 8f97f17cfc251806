"""Risk of bias by domain and trial, as the sources say."""

import pandas as pd

from pillprocess.evidence.schema import BIAS_DOMAINS
from pillprocess.evidence.tables import Evidence


def risk_of_bias(evidence: Evidence) -> pd.DataFrame:
    """Tabulate which risks of bias a source reports for each trial.

    Parameters
    ----------
    evidence
        The checked tables; ``risk_of_bias.csv`` holds one statement a row, with its source.

    Returns
    -------
    DataFrame indexed by trial, one column per domain: 1 where a source says the risk is there, 0 where one says it is not,
    missing where nothing was read. No score is formed: a domain enters a model as a moderator of its own.
    """
    table = evidence.risk_of_bias
    wide = table.pivot_table(index="trial_id", columns="domain", values="present", aggfunc="max")
    return wide.reindex(columns=BIAS_DOMAINS.split()).astype(float).rename_axis(index="trial", columns=None)
