"""The drugs of an evidence base: those that have a reference dose."""

from pillprocess.evidence.tables import Evidence

DRUGS = ("psilocybin", "LSD", "MDMA", "ketamine", "esketamine")
"""The drugs of the embedded evidence, in the order of every table and figure."""


def drugs_of(evidence: Evidence) -> tuple[str, ...]:
    """Return the drugs of a folder's ``reference_doses.csv``: the embedded ones in their order, then its own in its order."""
    held = list(dict.fromkeys(evidence.reference_doses["drug"]))
    return tuple([d for d in DRUGS if d in held] + [d for d in held if d not in DRUGS])
