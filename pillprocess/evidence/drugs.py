"""The drugs of an evidence base: the five of the embedded evidence, and those that a folder gives a reference dose."""

from collections.abc import Iterable

from pillprocess.evidence.tables import Evidence

DRUGS = ("psilocybin", "LSD", "MDMA", "ketamine", "esketamine")
"""The drugs of the embedded evidence, in the order of every table and figure."""


def with_own_drugs(held: Iterable[str]) -> tuple[str, ...]:
    """Return the embedded drugs and then a folder's own, each once, in its order."""
    return tuple(dict.fromkeys([*DRUGS, *held]))


def drugs_of(evidence: Evidence) -> tuple[str, ...]:
    """Return the drugs of a folder's ``reference_doses.csv``: the embedded ones in their order, then its own in its order."""
    held = set(evidence.reference_doses["drug"])
    return tuple(drug for drug in with_own_drugs(evidence.reference_doses["drug"]) if drug in held)
