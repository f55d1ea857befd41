"""What a web process must not load before somebody needs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

# Each takes 10 to 60 MB in every process.
HEAVY = ("pypinyin.constants", "openpyxl", "holidays", "playwright", "rich.console")


def test_heavy_libraries_wait_until_they_are_needed(child_environment: dict[str, str]) -> None:
    program = (
        "import sys, django; django.setup(); import itsm.wsgi, itsm.urls; "
        f"print(*[name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=Path(__file__).parents[2],
        env={**child_environment, "DJANGO_SETTINGS_MODULE": "itsm.settings"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == []
