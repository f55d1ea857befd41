"""`manage.py load_demo`: the demo company, once per database."""

from __future__ import annotations

import time
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn

from demo.content import company
from demo.loading import load

_STAGES = {
    "company": "People, teams, services",
    "tickets": "Six months of incidents",
    "store": "Storing and indexing",
}


class Command(BaseCommand):
    help = "Loads the demo company. Does nothing where it is loaded already."

    def handle(self, *_args: Any, **_options: Any) -> None:
        # Its accounts have a published password, an administrator's among them.
        if not settings.DEMO:
            raise CommandError("This is a real database: the demo company is not loaded into it.")
        started = time.monotonic()
        console = Console(stderr=True)
        with Progress(
            TextColumn("{task.description:<26}"),
            BarColumn(),
            TaskProgressColumn(),
            console=console,
            disable=not console.is_terminal,
        ) as bar:
            tasks: dict[str, TaskID] = {}

            def progress(stage: str, done: int, total: int) -> None:
                if stage not in tasks:
                    tasks[stage] = bar.add_task(_STAGES[stage], total=total)
                bar.update(tasks[stage], completed=done, total=total)

            loaded = load(progress=progress)
        if loaded is None:
            self.stdout.write("The demo company is here already.")
            return
        self.stdout.write(
            f"{loaded.people:,} people in {loaded.departments} departments, {loaded.teams} teams, "
            f"{loaded.incidents:,} incidents ({loaded.open} open) "
            f"in {time.monotonic() - started:.0f} s"
        )
        self.stdout.write(f"Accounts, password demo: {', '.join(company()['accounts'])}")
