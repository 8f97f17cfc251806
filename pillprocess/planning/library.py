"""Designs by name: what the review asks for, and what others have registered or published."""

from pillprocess.planning.trials import PlannedTrial, trial_design

REVIEW = "Torrado Pacheco & Moghaddam 2024, doi:10.1172/JCI180217"
SOURCES = {
    "one more placebo trial": f"the usual design: {REVIEW}, the trials it reviews",
    "2x2 drug x therapy": f"{REVIEW}: 'psilocybin alone versus in conjunction with specific psychotherapeutic approaches'; "
    "Grabski et al. 2022, doi:10.1176/appi.ajp.2021.21030277 (ketamine, alcohol)",
    "pill, therapy or both": f"{REVIEW}: the drug alone, and with concurrent psychological intervention",
    "therapies compared": f"{REVIEW}: 'comparisons of different therapeutic approaches in the trial design'",
    "masked by anaesthesia": "Lii et al. 2023, doi:10.1038/s44220-023-00140-x (ketamine, NCT03861988); "
    "registered for psilocybin: NCT07479550",
    "drug x anaesthesia": f"{REVIEW}: 'administration of psilocybin (or MDMA) during anesthesia', against the drug awake",
    "experience removed, belief equalised": f"{REVIEW}: the experience removed by anaesthesia or midazolam; here with belief equalised",
    "co-administered blocker": f"{REVIEW}: drug 'in conjunction with memory-impairing drugs, such as midazolam'",
    "dose comparison": "Goodwin et al. 2022, doi:10.1056/NEJMoa2206443 (25, 10 and 1 mg)",
    "setting randomised": f"{REVIEW}: 'whether it alone can more effectively alleviate depression if the context is controlled'; "
    "Greenway et al. 2025, doi:10.1192/bjp.2025.102 (music with ketamine)",
}
"""Where each design comes from."""


def named_designs(
    drug: str = "psilocybin", *, n: int = 50, dropout: float = 0.1, construct: str = "depression"
) -> dict[str, PlannedTrial]:
    """Return the library of designs for one drug.

    Parameters
    ----------
    drug
        A drug of the evidence.
    n
        People per arm.
    dropout
        Share of the people without an outcome.
    construct
        What the outcome measures.

    Returns
    -------
    Trials by name, each with its source. ``"drug x anaesthesia"`` randomises the drug and whether one is awake, and those awake
    notice what they had; in ``"experience removed, belief equalised"`` all have the drug, and equally many in each arm believe so.
    Under anaesthesia nothing is experienced; a co-administered blocker halves the experience; a setting adds one SD to it.

    Examples
    --------
    >>> import pillprocess as pp
    >>> list(pp.named_designs())[:3]
    ['one more placebo trial', '2x2 drug x therapy', 'pill, therapy or both']
    """
    given: dict[str, object] = {"drug": drug, "n": n}
    placebo: dict[str, object] = {"drug": "placebo", "n": n}
    support = {"therapy": "support", "therapy_hours": 8.0}
    arms: dict[str, dict[str, dict[str, object]]] = {
        "one more placebo trial": {"drug": given | support, "placebo": placebo | support},
        "2x2 drug x therapy": {
            "drug + therapy": given | support, "drug": given, "placebo + therapy": placebo | support, "placebo": placebo,
        },
        "pill, therapy or both": {
            "drug": given, "therapy": {"n": n, "belief": "open"} | support, "drug + therapy": given | support,
        },
        "therapies compared": {
            "drug + support": given | support, "drug + CBT": given | {"therapy": "CBT", "therapy_hours": 8.0},
        },
        "masked by anaesthesia": {
            "drug, asleep": given | {"experience": 0.0}, "placebo, asleep": placebo | {"experience": 0.0},
        },
        "drug x anaesthesia": {
            "drug, awake": given, "drug, asleep": given | {"experience": 0.0},
            "placebo, awake": placebo, "placebo, asleep": placebo | {"experience": 0.0},
        },
        "experience removed, belief equalised": {
            "drug, awake": given | {"belief": "equal"}, "drug, asleep": given | {"experience": 0.0, "belief": "equal"},
        },
        "co-administered blocker": {
            "drug": given | {"belief": "equal"}, "drug + blocker": given | {"experience": 0.5, "belief": "equal"},
        },
        "dose comparison": {
            "full dose": given | support, "two fifths": given | support | {"dose": 0.4},
            "one twenty-fifth": given | support | {"dose": 0.04},
        },
        "setting randomised": {
            "drug, enriched setting": given | {"experience_shift": 1.0, "belief": "equal"},
            "drug, plain setting": given | {"belief": "equal"},
        },
    }  # fmt: skip
    return {
        name: trial_design(name, of, dropout=dropout, construct=construct, source=SOURCES[name])
        for name, of in arms.items()
    }
