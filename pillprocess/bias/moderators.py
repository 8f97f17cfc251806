r"""Risk of bias as moderators of the drug term: what open, sponsored, stopped or unblinded trials add to it.

.. math:: \theta_{jk} \leftarrow \theta_{jk} + \rho\, flag_j\, dose_{jk} + \nu\, unsaid_j\, dose_{jk}

A domain counts only where a source says so, and is never made into a score. Trials in which it is present are compared with
those of which a source says that it is absent; trials without a word then have a shift of their own (``nu``), so that they
decide nothing. Where no two sources say "absent", trials without a word are the comparison, and the table says so.
"""

import pandas as pd

from pillprocess.decomposition.combination_ledger import combination_ledger
from pillprocess.decomposition.model import decomposition_design
from pillprocess.evidence.tables import Evidence
from pillprocess.rows.bias_domains import risk_of_bias
from pillprocess.rows.contrasts import model_rows

DOMAINS = ("waiting_list", "blind_failed", "open_label", "sponsor", "early_stopping")
SHOWN = ["mean", "ci_low", "ci_high", "p_below", "evidence", "n_trials", "contraction", "entangled_with", "verdict"]


def bias_moderators(
    evidence: Evidence, *, domains: tuple[str, ...] = DOMAINS, prior_moderator_sd: float = 0.35
) -> pd.DataFrame:
    """Estimate what each risk of bias adds to the drug term, one at a time, in closed form, with its row of the ledger.

    Parameters
    ----------
    evidence
        The checked tables; ``risk_of_bias.csv`` holds what sources say.
    domains
        Domains of ``risk_of_bias.csv``.
    prior_moderator_sd
        SD of the zero-mean normal prior of each effect, in reference SDs, as for the other interactions.

    Returns
    -------
    DataFrame, a row per domain: ``domain``, ``present``, ``absent`` and ``unsaid`` (trials of the model that gave a drug), ``against``
    (what the effect compares with), ``mean``, ``ci_low``, ``ci_high``, ``p_below`` (negative: more benefit where the risk is present),
    ``drug`` (the drug term of the others) and the ledger's ``evidence``, ``n_trials``, ``contraction``, ``entangled_with``, ``verdict``. A
    domain that is present in no trial of the model, or in all, has blanks and says so in ``verdict``.

    Raises
    ------
    ValueError
        A domain that no source of the evidence speaks of.
    """
    said = risk_of_bias(evidence)
    said = said.loc[:, said.notna().any()]
    unknown = [d for d in domains if d not in said]
    if unknown:
        raise ValueError(f"domains: no source speaks of {', '.join(unknown)}; known are {', '.join(said.columns)}")
    arms, differences = model_rows(evidence)
    rows = pd.concat([arms, differences], ignore_index=True)
    compared = (
        rows[rows["dose"] != rows["reference_dose"].fillna(0)] if "reference_dose" in rows else rows[rows["dose"] != 0]
    )
    trials = list(dict.fromkeys(compared["trial"]))
    out = []
    for domain in domains:
        flag = said[domain].reindex(trials)
        present, absent, unsaid = int((flag == 1).sum()), int((flag == 0).sum()), int(flag.isna().sum())
        row = {"domain": domain, "present": present, "absent": absent, "unsaid": unsaid}
        if present == 0 or present == len(trials):
            reason = "present in no trial of the model" if present == 0 else "present in every trial of the model"
            out.append(row | {"against": "", "verdict": f"{reason}: nothing to compare"})
            continue
        against_absent = absent >= 2
        columns = {domain: (flag == 1).astype(float)}
        if against_absent and unsaid:
            columns["unsaid"] = flag.isna().astype(float)
        design = decomposition_design(
            arms, differences, moderators=pd.DataFrame(columns, index=trials), prior_moderator_sd=prior_moderator_sd
        )
        found, _ = combination_ledger([design], {domain: {domain: 1.0}, "delta": {"delta": 1.0}})
        against = "trials of which a source says it is absent" if against_absent else "trials of which no source speaks"
        out.append(
            row | {"against": against} | found.loc[domain, SHOWN].to_dict() | {"drug": found.loc["delta", "mean"]}
        )
    return pd.DataFrame(out)
