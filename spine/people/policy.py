"""One question for every verb: may this person, and if not, why not.

Apps register rules (`@rule("incident.resolve")`); pages show the reason of a denial, the API
returns it with 403. A verb without a rule is a programming error, never a silent yes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _

from spine.kit.errors import NotAllowed

if TYPE_CHECKING:
    from spine.people.models import User


@dataclass(frozen=True, slots=True)
class Decision:
    allowed: bool
    code: str = ""
    reason: str = ""

    def __bool__(self) -> bool:
        return self.allowed


YES = Decision(True)

Rule = Callable[["User", Any], Decision]
_rules: dict[str, Rule] = {}


def rule(*verbs: str) -> Callable[[Rule], Rule]:
    """Registers the function as the rule of these verbs."""

    def register(function: Rule) -> Rule:
        for verb in verbs:
            if verb in _rules:
                raise RuntimeError(f"two rules for {verb}")
            _rules[verb] = function
        return function

    return register


def no(code: str, reason: str) -> Decision:
    return Decision(False, code, reason)


def may(user: User, verb: str, obj: Any = None) -> Decision:
    """Allowed, or denied with a code and the reason in the reader's language."""
    if not user.is_active:
        return no("inactive", _("This account is not active."))
    if user.is_system:
        return YES
    return _rules[verb](user, obj)


def require(user: User, verb: str, obj: Any = None) -> None:
    """Raises NotAllowed with the reason of the denial."""
    decision = may(user, verb, obj)
    if not decision:
        raise NotAllowed(decision.code, decision.reason)


def verbs() -> list[str]:
    return sorted(_rules)
