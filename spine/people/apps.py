from django.apps import AppConfig


class PeopleConfig(AppConfig):
    name = "spine.people"
    label = "people"

    def ready(self) -> None:
        from spine.people import rules  # noqa: F401 - registers its rules
