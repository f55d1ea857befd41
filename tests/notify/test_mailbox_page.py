from __future__ import annotations

import pytest
from django.core.mail import EmailMultiAlternatives
from django.urls import reverse

from notify.models import MailboxMessage
from notify.views import harmless
from tests.threads.corpus import ATTEMPTS
from tests.threads.test_markdown import Elements

pytestmark = pytest.mark.django_db


@pytest.fixture
def message(settings):
    settings.EMAIL_BACKEND = "notify.mailbox.MailboxBackend"
    mail = EmailMultiAlternatives(
        "支付 <b>", "Hello <script>", "desk@example.com", ["anna@example.com"]
    )
    mail.attach_alternative(
        "<style>p{}</style><p style='x' onclick='y'>Hi <a href='https://x.example'>there</a>"
        "<img src=https://evil.example/p.gif><script>alert(1)</script></p>",
        "text/html",
    )
    mail.send()
    return MailboxMessage.objects.get()


@pytest.mark.parametrize("who", ["admin", "auditor", "agent"])
def test_staff_of_the_demo_read_it(who, request, message, sign_in):
    client = sign_in(request.getfixturevalue(who))
    assert "支付 &lt;b&gt;" in client.get(reverse("notify:mailbox")).content.decode()
    page = client.get(reverse("notify:message", args=[message.pk]))
    body = page.content.decode()
    assert page.status_code == 200
    assert "Hello &lt;script&gt;" in body
    assert "evil.example" not in body
    assert "onclick" not in body
    assert "alert(1)" not in body
    assert 'href="https://x.example"' in body


def test_agents_do_not_read_it_outside_the_demo(agent, admin, message, sign_in, settings):
    settings.DEMO = False
    assert sign_in(agent).get(reverse("notify:mailbox")).status_code == 403
    assert sign_in(agent).get(reverse("notify:message", args=[message.pk])).status_code == 403
    assert sign_in(admin).get(reverse("notify:mailbox")).status_code == 200


def test_callers_and_strangers_do_not_read_it(caller, client, message, sign_in):
    assert sign_in(caller).get(reverse("notify:mailbox")).status_code == 403
    assert client.get(reverse("notify:mailbox")).status_code == 302


def test_it_is_searched_and_paged(admin, message, sign_in):
    client = sign_in(admin)
    assert "支付" in client.get(reverse("notify:mailbox"), {"q": "anna"}).content.decode()
    assert "支付" not in client.get(reverse("notify:mailbox"), {"q": "otto"}).content.decode()
    nothing = client.get(reverse("notify:mailbox"), {"before": message.pk}).content.decode()
    assert "支付" not in nothing
    for bad in ("x", "-1", "9" * 40, "1e5", "٣"):
        assert client.get(reverse("notify:mailbox"), {"before": bad}).status_code == 200
    assert client.get(f"/settings/mailbox/{'9' * 30}/").status_code == 404


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_no_mail_runs_anything_in_the_page(attempt):
    for tag, attributes in Elements(harmless(attempt)).found:
        assert tag not in {"script", "img", "iframe", "svg", "style", "form", "object", "meta"}
        assert set(attributes) <= {"href", "rel"}
        assert not attributes.get("href", "").lower().strip().startswith(("java", "data", "vb"))
