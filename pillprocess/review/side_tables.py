"""Tables beside the headline: therapy types, responders, belief, bias, terms informed from outside, duration, the next trial."""

from collections.abc import Callable

import pandas as pd

from pillprocess.bias.moderators import DOMAINS, bias_moderators
from pillprocess.decomposition.belief_shares import belief_share_curve
from pillprocess.decomposition.model import decomposition_design
from pillprocess.decomposition.response_table import counted_alone, response_table, rows_with_counts
from pillprocess.decomposition.therapy_types import therapy_types
from pillprocess.evidence.tables import Evidence
from pillprocess.review.cumulative import cumulative
from pillprocess.review.how_long import how_long
from pillprocess.review.informed_terms import informed_terms
from pillprocess.review.next_trial import next_trial
from pillprocess.rows.bias_domains import risk_of_bias
from pillprocess.rows.terms import HEADLINE


def side_tables(
    evidence: Evidence, arms: pd.DataFrame, differences: pd.DataFrame, *, seed: int
) -> dict[str, pd.DataFrame]:
    """Make each table, or in its place the reason why this evidence allows none (a column ``reason``)."""
    makers: dict[str, Callable[[], pd.DataFrame]] = {
        "therapy_types": lambda: therapy_types(arms, differences),
        "responders": lambda: response_table(evidence, seed=seed),
        "counted_alone": lambda: counted_alone(evidence),
        "bias_moderators": lambda: moderators(evidence),
        "informed_terms": lambda: informed_terms(arms, differences, seed=seed),
        "belief_shares": lambda: belief_shares(evidence, arms, differences),
        "cumulative": lambda: cumulative(evidence),
    }
    made = {name: _or_reason(make) for name, make in makers.items()}
    return made | how_long(evidence, seed=seed) | next_trial(arms, differences, seed=seed)


def belief_shares(evidence: Evidence, arms: pd.DataFrame, differences: pd.DataFrame) -> pd.DataFrame:
    """The effect by the share of the slope on belief that is belief's own, from the headline's rows and from those of the responders."""
    asked = {"headline": (arms, differences), "responders": rows_with_counts(evidence)}
    designs = {name: decomposition_design(*rows, terms=HEADLINE | {"expectancy"}) for name, rows in asked.items()}
    tables = [belief_share_curve(design).assign(rows=name) for name, design in designs.items()]
    return pd.concat(tables, ignore_index=True)


def moderators(evidence: Evidence) -> pd.DataFrame:
    """Say what each risk of bias that any source speaks of adds to the drug term.

    Raises
    ------
    ValueError
        No source of the evidence speaks of any.
    """
    said = risk_of_bias(evidence)
    spoken = tuple(domain for domain in DOMAINS if said[domain].notna().any())
    if not spoken:
        raise ValueError("no source speaks of a risk of bias")
    return bias_moderators(evidence, domains=spoken)


def _or_reason(make: Callable[[], pd.DataFrame]) -> pd.DataFrame:
    try:
        return make()
    except ValueError as error:
        return pd.DataFrame([{"reason": str(error)}])
