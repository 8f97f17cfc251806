"""A trial's own people: reading, coding, checks; sufficient statistics by arm."""
