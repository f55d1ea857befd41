"""The desk's pages of incidents."""

from incidents.views.bulk import BulkAssign, BulkTake
from incidents.views.edits import Edit, Move
from incidents.views.lists import FilterPanel, IncidentList
from incidents.views.new import NewIncident, Preview, PriorityPreview, Similar
from incidents.views.record import Comments, LiveRecord, Record, Take, Watch, Why

__all__ = [
    "BulkAssign",
    "BulkTake",
    "Comments",
    "Edit",
    "FilterPanel",
    "IncidentList",
    "LiveRecord",
    "Move",
    "NewIncident",
    "Preview",
    "PriorityPreview",
    "Record",
    "Similar",
    "Take",
    "Watch",
    "Why",
]
