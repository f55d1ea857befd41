"""Web, worker and beat as one command: started, watched, restarted and stopped together."""

from .children import Child, platform_children
from .run import Supervisor

__all__ = ["Child", "Supervisor", "platform_children"]
