"""What `manage.py doctor` asks: small functions in one list; add yours to `CHECKS`."""

from itsm.doctor.checks import CHECKS, examine
from itsm.doctor.result import Finding, State

__all__ = ["CHECKS", "Finding", "State", "examine"]
