"""The tables in data/: what they hold, how they are read, every check at the door, what they cover."""
