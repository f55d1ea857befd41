"""What the design page shows in its specimens: long names, Chinese, every state and edge.

Not data of the product: nothing here is stored or counted.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from django import forms
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from django.utils.datastructures import MultiValueDict
from django.utils.safestring import mark_safe
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

PEOPLE = [
    ("mc", "Mei Chen"),
    ("jo", "Jonas Ortiz"),
    ("lw", "李伟"),
    ("oy", "欧阳文静"),
    ("al", "Aleksandra Wojciechowska-Brzęczyszczykiewicz"),
]
TEAMS = [("desk", "Service desk"), ("platform", "Platform"), ("网络", "网络运维组")]


class SampleForm(forms.Form):
    """One field of each sort."""

    title = forms.CharField(
        label=_("Title"), max_length=200, help_text=_("One line, as the caller would say it")
    )
    caller = forms.ChoiceField(
        label=_("Caller"), choices=PEOPLE, widget=forms.Select(attrs={"data-combobox": ""})
    )
    team = forms.ChoiceField(label=_("Team"), choices=TEAMS)
    watchers = forms.MultipleChoiceField(
        label=_("Watchers"),
        choices=PEOPLE,
        required=False,
        widget=forms.SelectMultiple(attrs={"data-combobox": ""}),
    )
    impact = forms.ChoiceField(
        label=_("Impact"),
        choices=[("1", _("High")), ("2", _("Medium")), ("3", _("Low"))],
        widget=forms.RadioSelect,
        initial="2",
    )
    follow_up = forms.DateTimeField(
        label=_("Follow up"),
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}),
    )
    hours = forms.DecimalField(label=_("Target"), initial=8, min_value=0)
    number = forms.CharField(label=_("Number"), initial="INC0010472", disabled=True, required=False)
    description = forms.CharField(
        label=_("Description"), required=False, widget=forms.Textarea(attrs={"rows": 3})
    )
    notify = forms.BooleanField(
        label=_("Tell the caller"),
        required=False,
        initial=True,
        help_text=_("By mail, in their language"),
    )
    channels = forms.MultipleChoiceField(
        label=_("Channels"),
        required=False,
        choices=[("mail", _("Mail")), ("chat", _("Chat")), ("portal", _("Portal"))],
        initial=["mail"],
        widget=forms.CheckboxSelectMultiple,
    )
    attachments = forms.FileField(label=_("Attachments"), required=False)


def form(name: str) -> SampleForm:
    return SampleForm(auto_id=f"{name}_%s", initial={"watchers": ["jo", "lw"], "caller": "oy"})


def bad_form(name: str) -> SampleForm:
    """Bound to what doesn't pass: an empty title, a team that is gone, a follow-up in words."""
    data = {"team": "gone", "caller": "mc", "impact": "9", "follow_up": "soon", "hours": "-1"}
    bound = SampleForm(
        data=data,
        files=MultiValueDict({"attachments": [SimpleUploadedFile("empty.txt", b"")]}),
        auto_id=f"bad_{name}_%s",
    )
    bound.full_clean()
    bound.add_error(None, gettext("Someone else changed this meanwhile."))
    return bound


def _row(number: int, title: str, **more: Any) -> dict[str, Any]:
    return {"number": f"INC{number:07d}", "title": title, **more}


def rows(now: dt.datetime) -> list[dict[str, Any]]:
    def left(minutes: int, used: int) -> dict[str, Any]:
        return {"at": now + dt.timedelta(minutes=minutes), "used": used}

    return [
        _row(
            10472,
            "Payments API returns 502 for card top-ups",
            hint="3 affected · 2 alike today",
            service="Payments",
            p=1,
            state="In Progress",
            tone="progress",
            who="Mei Chen",
            due=left(24, 88),
        ),
        _row(
            10468,
            "财务系统登录后白屏，全部门无法报销",
            service="ERP Finance",
            p=2,
            state="New",
            tone="new",
            who="",
            due=left(-12, 104),
        ),
        _row(
            10465,
            "VPN drops every 20 minutes on the Shanghai gateway while a large file transfer runs",
            service="Remote access",
            p=2,
            state="In Progress",
            tone="progress",
            who="李伟",
            due=left(130, 46),
            at=True,
        ),
        _row(
            10461,
            "Label printer in Warehouse 3 prints blank pages",
            service="Printing",
            p=3,
            state="On Hold",
            tone="hold",
            who="Aleksandra Wojciechowska-Brzęczyszczykiewicz",
            due={"note": "Awaiting vendor · 26 Nov"},
            picked=True,
        ),
        _row(
            10459,
            "Shared mailbox purchasing@ missing for new starter",
            service="E-mail",
            p=4,
            state="In Progress",
            tone="progress",
            who="欧阳文静",
            due=left(26 * 60, 22),
        ),
        _row(
            10444,
            "Backup of db-orders-02 failed twice",
            service="Orders database",
            p=2,
            state="Resolved",
            tone="done",
            who="Jonas Ortiz",
            due={"met": "met in 3 h 05 min"},
        ),
        _row(
            10440,
            "Teams room 4.12: camera not found",
            service="Meeting rooms",
            p=5,
            state="Canceled",
            tone="canceled",
            who="Jonas Ortiz",
            due={},
        ),
    ]


def values() -> dict[str, Any]:
    now = timezone.now()
    people = [name for _key, name in PEOPLE]
    return {
        "now": now,
        "rows": rows(now),
        "people": people,
        "views": [
            {"label": "My team, open", "url": "#", "active": True, "count": 42},
            {"label": "Unassigned", "url": "#", "count": 7},
            {"label": "Breaching today", "url": "#", "count": 0},
            {"label": "等待他人", "url": "#"},
        ],
        "filters": [
            {"label": "Team", "value": "Service desk, Platform", "remove_url": "#"},
            {"label": "State", "value": "not closed", "remove_url": "#"},
            {"label": "Sorted by", "value": "due, then priority"},
        ],
        "crumbs": [{"label": "Incidents", "url": "#"}],
        "suggested": [
            {
                "url": "#",
                "hint": "INC0010472",
                "text": "Payments API returns 502 for card top-ups",
                "label": "Incidents",
                "active": True,
            },
            {"url": "#", "hint": "INC0010466", "text": "三楼打印机无法连接", "label": "Incidents"},
        ],
        "bulk_actions": [
            {"label": "Assign", "icon": "user-check", "url": "#"},
            {"label": "Put on hold", "icon": "pause", "url": "#"},
            {"label": "Cancel", "icon": "x", "url": "#", "danger": True},
        ],
        "files": [
            {"name": "topup-502.png", "size": 184_320, "url": "#", "remove_url": "#"},
            {
                "name": "2026年第四季度网络设备盘点清单（最终版）.xlsx",
                "size": 2_411_724,
                "url": "#",
            },
            {"name": "gateway.log.gz", "size": 48_000_000, "url": "#"},
        ],
        "changes": [
            {"label": "Priority", "before": "P2", "after": "P1"},
            {"label": "Team", "before": "", "after": "Platform"},
        ],
        "earlier": {key: now - dt.timedelta(minutes=minutes) for key, minutes in MOMENTS.items()},
        "soon": now + dt.timedelta(minutes=24),
        "late": now - dt.timedelta(minutes=12),
        "later": now + dt.timedelta(hours=5),
        "tomorrow": now + dt.timedelta(hours=25),
        "comment_html": mark_safe(
            "<p>Pool on <a href='#'>pay-db-02</a> is at its limit since <a href='#'>CHG0010093</a>."
            " Rolling it back needs the emergency group; asked them.</p>"
        ),
        "reply_html": mark_safe(
            "<p>Three of our shops can’t take top-ups. Screenshot attached.</p>"
            "<p>重启路由器之后仍然无法充值，请尽快处理。</p>"
        ),
        "steps": [
            {"label": "Sent", "done": True},
            {"label": "Being worked on", "current": True},
            {"label": "Solved"},
            {"label": "Closed"},
        ],
    }


MOMENTS = {"now": 0, "minutes": 4, "hours": 200, "yesterday": 1500, "weeks": 60 * 24 * 20}
