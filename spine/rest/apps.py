from django.apps import AppConfig


class RestConfig(AppConfig):
    name = "spine.rest"
    label = "rest"
