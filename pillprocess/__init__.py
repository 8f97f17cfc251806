"""Bayesian hierarchical models of the pill and the process.

How much of the symptom change in trials of psilocybin, LSD, MDMA, ketamine and esketamine is the drug's own
pharmacology, and how much is psychotherapy, expectancy and the subjective experience? Public names load on first
use, so importing the package costs a few milliseconds.
"""

import lazy_loader

from .output.caches import use_writable_caches

use_writable_caches()
del use_writable_caches

__version__ = "0.1.0"
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
