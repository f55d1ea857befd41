"""The three base views of the desk: list, detail, form. A fourth needs an ADR."""

from spine.ui.views.base import DeskView
from spine.ui.views.detail import DetailView
from spine.ui.views.form import FormView
from spine.ui.views.list import ListView

__all__ = ["DeskView", "DetailView", "FormView", "ListView"]
