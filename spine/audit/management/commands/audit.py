"""manage.py audit verify | seal | archive | erase"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from datetime import date
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from spine.audit import actions
from spine.audit.operations import working_from
from spine.audit.sealing import seal_pending
from spine.audit.verification import Break, Report, verify
from spine.kit.errors import DomainError


class Command(BaseCommand):
    help = "Prove, seal or archive the audit trail, or erase a person from it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        proof = verbs.add_parser("verify", help="prove the chain; exit 1 at the first broken link")
        proof.add_argument("--json", action="store_true")
        proof.add_argument(
            "--anchor", default="", help="SEAL:HASH as an earlier run printed it; must be in there"
        )
        verbs.add_parser("seal", help="seal now what is final")
        old = verbs.add_parser("archive", help="detach sealed months")
        old.add_argument("--before", required=True, type=_month, metavar="YYYY-MM")
        old.add_argument("--by", required=True, metavar="USER", help="who does it")
        gone = verbs.add_parser("erase", help="erase a person's values")
        gone.add_argument("--person", required=True, metavar="USER")
        gone.add_argument("--as-actor", action="store_true", help="their name as actor, too")
        gone.add_argument("--by", required=True, metavar="USER", help="who does it")

    def handle(self, *args: Any, **options: Any) -> None:
        with working_from("shell"):
            try:
                getattr(self, f"_{options['verb']}")(options)
            except DomainError as error:
                raise CommandError(error.message) from error

    def _verify(self, options: dict[str, Any]) -> None:
        report = verify(anchor=options["anchor"])
        if options["json"]:
            self.stdout.write(json.dumps(report.as_dict()))
        else:
            self.stdout.write(_describe(report))
        if not report.whole:
            sys.exit(1)

    def _seal(self, options: dict[str, Any]) -> None:
        count = sum(seal.count for seal in seal_pending())
        self.stdout.write(_("Sealed %(count)s entries.") % {"count": count})

    def _archive(self, options: dict[str, Any]) -> None:
        done = actions.archive(actor=_person(options["by"]), before=options["before"])
        for row in done:
            self.stdout.write(
                _("%(table)s: %(count)s entries detached.")
                % {"table": row.table, "count": row.count}
            )
        if not done:
            self.stdout.write(_("No sealed month is that old."))

    def _erase(self, options: dict[str, Any]) -> None:
        counts = actions.erase_personal(
            actor=_person(options["by"]),
            person=_person(options["person"]),
            as_actor=options["as_actor"],
        )
        self.stdout.write(_("Erased %(values)s values and %(names)s names.") % counts)


def _month(text: str) -> date:
    return date.fromisoformat(f"{text}-01")


def _person(username: str) -> AbstractBaseUser:
    model = get_user_model()
    try:
        person: AbstractBaseUser = model._default_manager.get(**{model.USERNAME_FIELD: username})
        return person
    except model.DoesNotExist:
        raise CommandError(_("There is no user %(name)s.") % {"name": username}) from None


def _describe(report: Report) -> str:
    if report.broken is not None:
        return _describe_break(report.broken)
    lines = [
        _("The audit trail is whole: %(entries)s entries under %(seals)s seals.")
        % {"entries": report.entries, "seals": report.seals},
        _("Not sealed yet: %(unsealed)s. Archived: %(archived)s. Names erased: %(erased)s.")
        % {"unsealed": report.unsealed, "archived": report.archived, "erased": report.erased},
    ]
    if report.head:
        lines.append(_("Head, to note elsewhere: %(head)s") % {"head": report.head})
    return "\n".join(lines)


def _describe_break(broken: Break) -> str:
    sentences = {
        "missing": _("Entry %(entry)s is missing (seal %(seal)s)."),
        "altered": _("Entry %(entry)s was altered (seal %(seal)s)."),
        "extra": _("Entry %(entry)s was added after its stretch was sealed (seal %(seal)s)."),
        "seal": _("The chain of seals breaks at seal %(seal)s."),
        "anchor": _("The chain was replaced."),
        "personal": _("A personal value of entry %(entry)s is not the one that was recorded."),
        "future": _("Entry %(entry)s has a transaction id that was never given."),
    }
    text = sentences[broken.what] % {"entry": broken.entry, "seal": broken.seal or "-"}
    return f"{text} {broken.detail}".rstrip()
