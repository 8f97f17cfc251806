"""The paper of an analysis: methods, results and checklists, filled from a results folder, for a word processor or LaTeX."""
