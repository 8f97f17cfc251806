"""Effects through the experience of three sessions where the model's assumptions hold, and where one is broken.

200,000 people, coefficients by least squares, against the potential outcomes of 600,000 people (`tests/mediation/sessions.py`).
Run: python benchmarks/trajectory_worlds.py
"""

from pillprocess.mediation.model import mediation
from pillprocess.mediation.trajectory import trajectory_effects
from pillprocess.participants.table import load_participants
from tests.mediation.sessions import ORDER, SESSIONS, World, least_squares_course, trial, true_effects
from tests.mediation.trees import tree

WORLDS: dict[str, tuple[World, tuple[str, ...]]] = {
    "as assumed": (World(), ORDER),
    "early change not measured": (World(), SESSIONS),
    "a trait colours every session's experience and the outcome, .3 of its noise": (World(trait=0.3), ORDER),
    "the same, .7": (World(trait=0.7), ORDER),
    "early change follows experience by half as much again under treatment": (World(uneven=0.3), ORDER),
    "early change bends with experience": (World(bent=0.15), ORDER),
}

if __name__ == "__main__":
    for name, (world, order) in WORLDS.items():
        table = trial(world, 200_000, 3)
        people = load_participants(
            table[:80], treatment="arm", reference=0, outcome="madrs_6", mediators=list(order), covariates="x",
            higher_is_worse=True, repeated_rows="different people",
        )  # fmt: skip
        idata = tree(mediation(people, order=list(order)), least_squares_course(table, order))
        found = trajectory_effects(idata, mediators=SESSIONS)
        truth = true_effects(world, 600_000)
        shown = ", ".join(f"{e} {found[e].item():.2f} ({truth[e][2]:.2f})" for e in ("oe", "ide", "iie"))
        print(f"{name}: {shown}")
