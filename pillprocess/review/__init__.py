"""The main job: the whole analysis of an evidence base, its figures, report and reporting record."""
