from django.apps import AppConfig


class PeopleConfig(AppConfig):
    name = "spine.people"
    label = "people"
