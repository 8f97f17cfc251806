"""The review's hypotheses compared: which sets of terms predict trials they have not seen, and which have the evidence."""

import pandas as pd

from pillprocess.comparison.bayes_factors import bayes_factors
from pillprocess.comparison.compare import check_unit, compare, comparison_note
from pillprocess.decomposition.model import Baseline, decomposition_design
from pillprocess.rows.terms import HYPOTHESES, with_belief_by_design


def compare_hypotheses(
    arms: pd.DataFrame,
    differences: pd.DataFrame,
    *,
    unit: str = "trial",
    baseline: Baseline = "exchangeable",
) -> tuple[pd.DataFrame, str]:
    """Compare the review's hypotheses by exact leave-one-out prediction and by marginal likelihood.

    Hypotheses that have the same terms at the level of arms are one model and stand under their first name. Belief enters as
    the design lets expect it: a model given reported guesses would know more than one that is given the treatment alone.

    Returns
    -------
    DataFrame, the best first (see :func:`pillprocess.compare`), with ``terms``, ``log_marginal_likelihood`` and
    ``posterior_probability`` (all models equally probable before), and what the comparison decides in words.
    """
    check_unit(unit)
    arms, differences = with_belief_by_design(arms), with_belief_by_design(differences)
    unknown = {t for t in ("expectancy", "experience") if arms[t].isna().any() or differences[t].isna().any()}
    names: dict[frozenset[str], str] = {}
    for name, terms in HYPOTHESES.items():
        if not terms & unknown:
            names.setdefault(terms, name)
    left_out = [name for name, terms in HYPOTHESES.items() if terms & unknown]
    lacking = f" Left out, as {' and '.join(sorted(unknown))} is not known for every row: {', '.join(left_out)}."
    designs = {
        name: decomposition_design(arms, differences, terms=terms, baseline=baseline) for terms, name in names.items()
    }
    table = compare(designs, unit=unit)
    marginal = bayes_factors(designs)[["log_marginal_likelihood", "posterior_probability"]]
    joined = table.join(marginal).reset_index()
    joined.insert(1, "terms", [", ".join(sorted(HYPOTHESES[name])) or "none" for name in joined["model"]])
    return joined, comparison_note(table) + (lacking if left_out else "")
