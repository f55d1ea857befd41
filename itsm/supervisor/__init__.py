"""Web, worker and beat as one command: started, watched, restarted and stopped together."""

from itsm.supervisor.children import Child, platform_children
from itsm.supervisor.run import Supervisor

__all__ = ["Child", "Supervisor", "platform_children"]
