"""The WSGI application of a supervised web worker: it does not outlive its parent."""

import signal

from itsm.embedded.process import die_with_parent
from itsm.wsgi import application

__all__ = ["application"]

die_with_parent(signal.SIGKILL)
