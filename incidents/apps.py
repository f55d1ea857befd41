from django.apps import AppConfig


class IncidentsConfig(AppConfig):
    name = "incidents"
    label = "incidents"

    def ready(self) -> None:
        from incidents import policy  # noqa: F401 - registers its rules
        from incidents.kind import INCIDENT
        from spine.tickets import kinds

        kinds.register(INCIDENT)
