from django.urls import path

from notify import views

app_name = "notify"

urlpatterns = [
    path("", views.Mailbox.as_view(), name="mailbox"),
    path("<int:pk>/", views.MailboxRecord.as_view(), name="message"),
]
