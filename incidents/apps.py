from django.apps import AppConfig


class IncidentsConfig(AppConfig):
    name = "incidents"
    label = "incidents"

    def ready(self) -> None:
        from incidents import policy  # noqa: F401 - registers its rules
        from incidents.kind import INCIDENT
        from spine.sla import subjects
        from spine.tickets import kinds
        from spine.tickets.clocks import SUBJECT_FIELDS
        from spine.tickets.models import HoldReason

        kinds.register(INCIDENT)
        subjects.register("incident", fields=SUBJECT_FIELDS, hold_reasons=HoldReason.values)
