from django.apps import AppConfig


class UIConfig(AppConfig):
    name = "spine.ui"
    label = "ui"
