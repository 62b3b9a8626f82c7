"""Which assets are worth training on: measured predicates, one per reason, and their thresholds."""

from training.data.filtering.judge import Verdict, judge, require
from training.data.filtering.settings import FilterSettings

__all__ = ["FilterSettings", "Verdict", "judge", "require"]
