"""Findings for readers: effects in points and patients, how certain each is, the review's claims, who was counted where."""
