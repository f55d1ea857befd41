from django.urls import path

from incidents import views

app_name = "incidents"
urlpatterns = [
    path("", views.IncidentList.as_view(), name="list"),
    path("filter/", views.FilterPanel.as_view(), name="filter"),
    path("new/", views.NewIncident.as_view(), name="new"),
    path("new/similar/", views.Similar.as_view(), name="similar"),
    path("priority/", views.PriorityPreview.as_view(), name="priority"),
    path("preview/", views.Preview.as_view(), name="preview"),
    path("bulk/assign/", views.BulkAssign.as_view(), name="bulk-assign"),
    path("bulk/take/", views.BulkTake.as_view(), name="bulk-take"),
    path("<str:number>/", views.Record.as_view(), name="record"),
    path("<str:number>/live/", views.LiveRecord.as_view(), name="live"),
    path("<str:number>/take/", views.Take.as_view(), name="take"),
    path("<str:number>/watch/", views.Watch.as_view(), name="watch"),
    path("<str:number>/comments/", views.Comments.as_view(), name="comments"),
    path("<str:number>/moves/<slug:move>/", views.Move.as_view(), name="move"),
    path("<str:number>/edit/<slug:section>/", views.Edit.as_view(), name="edit"),
    path("<str:number>/why/<slug:metric>/", views.Why.as_view(), name="why"),
]
