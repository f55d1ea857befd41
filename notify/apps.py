from django.apps import AppConfig


class NotifyConfig(AppConfig):
    name = "notify"
    label = "notify"

    def ready(self) -> None:
        from notify import policy  # noqa: F401 - registers its rules
