"""``python -m pillprocess`` is the command line."""

from pillprocess.cli import main

main()
