"""Guesses, blinding, unblinding as mediator, expectancy as moderator: models, estimands, figures, analyses."""
