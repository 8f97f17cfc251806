"""The report of one trial's own participants."""
