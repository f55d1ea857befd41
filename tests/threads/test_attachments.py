from __future__ import annotations

import hashlib
import os
import time
import tracemalloc

import pytest
from django.core.files.uploadedfile import TemporaryUploadedFile
from django.db import connection, transaction

from spine.kit.errors import DomainError
from spine.threads import actions, storing
from spine.threads.folder import reserved
from spine.threads.models import Attachment, Comment, Thread
from spine.threads.naming import clean_name
from spine.threads.serving import FileGone, serve
from spine.threads.tasks import sweep_orphans
from tests.threads import files

OPAQUE = "application/octet-stream"


@pytest.fixture
def thread(db):
    return Thread.objects.create()


@pytest.fixture(autouse=True)
def folder(tmp_path, settings):
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": tmp_path},
        },
    }
    return tmp_path


def stored_files(folder):
    """Those that a sweep may take."""
    every = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in every if not reserved(path.relative_to(folder).parts[0]))


def attach(caller, thread, name, content, **values):
    return actions.store_attachment(
        actor=caller, thread=thread, file=files.upload(name, content), **values
    )


def body_of(response):
    return b"".join(response.streaming_content)


def test_a_file_comes_back_octet_by_octet_under_a_name_of_our_own(caller, thread, folder):
    content = files.image()
    made = attach(caller, thread, "Foto.png", content)
    (path,) = stored_files(folder)
    assert path.read_bytes() == content
    assert "Foto" not in str(path)
    assert made.sha256 == hashlib.sha256(content).hexdigest()
    assert (made.size, made.width, made.height) == (len(content), 32, 20)
    assert body_of(serve(made, inline=True)) == content


@pytest.mark.parametrize(
    ("form", "content_type"),
    [("PNG", "image/png"), ("JPEG", "image/jpeg"), ("GIF", "image/gif"), ("WEBP", "image/webp")],
)
def test_a_picture_is_shown_in_the_page(caller, thread, form, content_type):
    made = attach(caller, thread, f"a.{form.lower()}", files.image(form))
    response = serve(made, inline=True)
    assert response["Content-Type"] == content_type
    assert response["Content-Disposition"].startswith("inline")
    assert serve(made, inline=False)["Content-Disposition"].startswith("attachment")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("page.html", files.HTML),
        ("innocent.png", files.HTML),
        ("innocent.txt", files.HTML),
        ("a.svg", files.SVG),
        ("a.png", files.SVG),
        ("notes.txt", b"\xef\xbb\xbf   \n<ScRiPt>alert(1)</script>"),
        ("notes.txt", b"hello\n<img src=x onerror=alert(1)>"),
        ("setup.exe", files.EXE),
        ("picture.jpg", files.EXE),
        ("run", files.ELF),
        ("run.txt", files.SHELL),
        ("picture.png", files.image()[:20]),
        ("picture.png", files.png_bomb()),
        ("script.js", files.image()),
        ("x.html", b"just words"),
        ("latin.txt", "Grüße".encode("latin-1")),
        ("utf16.txt", "<script>".encode("utf-16")),
        ("empty.bin", b"\x00\x01\x02"),
        ("a.xml", b"<a><b/></a>"),
    ],
)
def test_what_could_run_is_a_download_of_no_type(caller, thread, name, content):
    made = attach(caller, thread, name, content)
    response = serve(made, inline=True)
    assert made.content_type == response["Content-Type"] == OPAQUE
    assert response["Content-Disposition"].startswith("attachment")
    assert made.width is None


@pytest.mark.parametrize(
    ("name", "content", "content_type"),
    [
        ("a.pdf", files.PDF, "application/pdf"),
        ("a.pdf", files.PDF + files.HTML, "application/pdf"),
        ("a.zip", files.small_zip(), "application/zip"),
        ("log.txt", "一行日志\nline two\n".encode(), "text/plain; charset=utf-8"),
        ("t.csv", b"a,b\n1,2\n", "text/plain; charset=utf-8"),
    ],
)
def test_documents_are_downloads_of_their_type(caller, thread, name, content, content_type):
    response = serve(attach(caller, thread, name, content), inline=True)
    assert response["Content-Type"] == content_type
    assert response["Content-Disposition"].startswith("attachment")


@pytest.mark.parametrize(
    "content",
    [files.gif_javascript(), files.image() + files.small_zip(), files.image() + files.HTML],
)
def test_a_polyglot_is_served_as_the_picture_it_begins_as(caller, thread, content):
    response = serve(attach(caller, thread, "a.png", content), inline=True)
    assert response["Content-Type"] in {"image/gif", "image/png"}
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert response["Cross-Origin-Resource-Policy"] == "same-origin"


def test_the_headers_are_on_every_file(caller, thread, sign_in):
    response = serve(attach(caller, thread, "a.html", files.HTML), inline=True)
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert "private" in response["Cache-Control"]


def test_bombs_are_neither_decoded_nor_unpacked(caller, thread):
    zipped, pictured, commented = files.zip_bomb(), files.png_bomb(), files.png_text_bomb()
    tracemalloc.start()
    attach(caller, thread, "a.zip", zipped)
    attach(caller, thread, "a.png", pictured)
    attach(caller, thread, "b.png", commented)
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # Pillow unpacks at most 1 MB of a comment before it gives up.
    assert peak < 12_000_000
    assert [row.content_type for row in Attachment.objects.order_by("id")] == [
        "application/zip", OPAQUE, OPAQUE,
    ]  # fmt: skip


def big_upload(size):
    file = TemporaryUploadedFile("big.bin", "application/zip", size, None)
    os.truncate(file.temporary_file_path(), size)
    return file


def test_sixty_megabytes_are_refused_before_they_are_copied(caller, thread, folder):
    with pytest.raises(DomainError) as caught:
        actions.store_attachment(actor=caller, thread=thread, file=big_upload(60 * 1024 * 1024))
    assert (caught.value.code, caught.value.status) == ("too_large", 413)
    assert stored_files(folder) == []


def test_a_wrong_word_on_the_size_is_found_out(caller, thread, folder, settings):
    settings.ATTACHMENT_MAX_BYTES = 1000
    file = files.upload("a.bin", b"x" * 5000)
    file.size = 10
    with pytest.raises(DomainError) as caught:
        actions.store_attachment(actor=caller, thread=thread, file=file)
    assert caught.value.code == "too_large"
    assert stored_files(folder) == []


def test_forty_megabytes_take_no_more_memory_than_one(caller, thread):
    file = big_upload(40 * 1024 * 1024)
    tracemalloc.start()
    made = actions.store_attachment(actor=caller, thread=thread, file=file)
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert made.size == 40 * 1024 * 1024
    assert peak < 3_000_000


def test_the_number_of_files_has_a_limit(caller, thread, monkeypatch):
    monkeypatch.setattr(actions, "MAX_FILES", 2)
    attach(caller, thread, "a.txt", b"a")
    attach(caller, thread, "b.txt", b"b")
    with pytest.raises(DomainError) as caught:
        attach(caller, thread, "c.txt", b"c")
    assert caught.value.code == "too_many_files"


@pytest.mark.django_db(transaction=True)
def test_a_rolled_back_file_is_swept_and_a_kept_one_is_not(caller, thread, folder):
    with transaction.atomic():
        kept = attach(caller, thread, "a.txt", b"kept")
    with transaction.atomic():
        attach(caller, thread, "b.txt", b"lost")
        transaction.set_rollback(True)
    assert len(stored_files(folder)) == 2
    assert sweep_orphans() == 0, "a transaction may still be going to write the row"
    for path in stored_files(folder):
        os.utime(path, (time.time() - 7200,) * 2)
    half = folder / ".incoming" / "half-copied"
    half.write_bytes(b"x")
    os.utime(half, (time.time() - 7200,) * 2)
    assert sweep_orphans() == 2
    assert [path.read_bytes() for path in stored_files(folder)] == [b"kept"]
    assert body_of(serve(kept, inline=False)) == b"kept"


@pytest.mark.django_db(transaction=True)
def test_a_removed_file_goes_only_when_that_has_committed(caller, thread, folder):
    with transaction.atomic():
        made = attach(caller, thread, "a.txt", b"a")
    with transaction.atomic():
        actions.remove_attachment(actor=caller, attachment=made)
        assert len(stored_files(folder)) == 1
        transaction.set_rollback(True)
    assert body_of(serve(Attachment.objects.get(), inline=False)) == b"a"
    actions.remove_attachment(actor=caller, attachment=made)
    assert stored_files(folder) == []
    assert not Attachment.objects.exists()


def test_a_full_disk_leaves_neither_file_nor_row(caller, thread, folder, monkeypatch):
    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(storing.os, "fsync", full)
    with pytest.raises(OSError, match="No space"), transaction.atomic():
        attach(caller, thread, "a.txt", b"a")
    assert stored_files(folder) == []
    assert not Attachment.objects.exists()


def test_a_missing_file_is_said_so(caller, thread, folder):
    made = attach(caller, thread, "a.txt", b"a")
    for path in stored_files(folder):
        path.unlink()
    with pytest.raises(FileGone):
        serve(made, inline=False)


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\plan.docx", "plan.docx"),
        ("invoice\u202egpj.exe", "invoicegpj.exe"),
        ("a\r\nSet-Cookie: x=1.txt", "a Set-Cookie_ x=1.txt"),
        ("a\x00b\x1f.txt", "ab.txt"),
        ("  .hidden. ", "hidden"),
        ('q"uo<te>.png', "q_uo_te_.png"),
        ("CON.txt", "_CON.txt"),
        ("", "file"),
        ("...", "file"),
        ("截图 1.png", "截图 1.png"),
        ("zero\u200bwidth.txt", "zerowidth.txt"),
        ("\ud800.txt", "txt"),
    ],
)
def test_a_name_is_only_a_label(given, name):
    assert clean_name(given) == name


def test_a_long_name_keeps_its_extension():
    assert clean_name("图" * 300 + ".png").endswith("图.png")
    assert len(clean_name("图" * 300 + ".png").encode()) <= 240
    assert len(clean_name("a" * 300 + ".png")) == 150


def test_the_name_can_not_break_out_of_the_header(caller, thread):
    made = attach(caller, thread, 'a";\r\nX-Evil: 1 图.txt', b"a")
    header = serve(made, inline=False)["Content-Disposition"]
    assert "\r" not in header
    assert "\n" not in header
    assert "X-Evil" in header  # inside the encoded name
    assert header.startswith("attachment; filename*=utf-8''")


# Comments


def comment(caller, thread, body, **values):
    return actions.add_comment(
        actor=caller,
        thread=thread,
        body=body,
        visibility=values.pop("visibility", "public"),
        **values,
    )


def test_a_comment_keeps_its_text_with_unix_line_ends(caller, thread):
    assert comment(caller, thread, "\r\n  a\r\n\r\nb \r\n").body == "  a\n\nb"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("", "required"),
        (" \n\t ", "required"),
        ("x" * 100_001, "too_long"),
        ("a\x00b", "invalid"),
        ("a\ud800b", "invalid"),
        (None, "invalid"),
    ],
)
def test_a_body_that_can_not_be_kept_is_refused(caller, thread, body, code):
    with pytest.raises(DomainError) as caught:
        comment(caller, thread, body)
    assert (caught.value.code, caught.value.field) == (code, "body")
    assert not Comment.objects.exists()


def test_files_alone_make_a_comment_and_those_of_a_note_are_internal(caller, thread):
    made = comment(caller, thread, "", files=[files.upload("a.png", files.image())])
    note = comment(
        caller, thread, "look", visibility="note", files=[files.upload("b.png", files.image())]
    )
    assert not made.attachments.get().internal
    assert note.attachments.get().internal
    assert list(thread.comments.readable(notes=False)) == [made]
    assert [row.name for row in thread.attachments.readable(notes=False)] == ["a.png"]


def test_an_unknown_visibility_is_refused(caller, thread):
    with pytest.raises(DomainError) as caught:
        comment(caller, thread, "a", visibility="secret")
    assert caught.value.field == "visibility"


@pytest.mark.django_db(transaction=True)
def test_two_who_attach_at_once_do_not_pass_the_limit(caller, thread, monkeypatch):
    from concurrent.futures import ThreadPoolExecutor
    from threading import Barrier

    monkeypatch.setattr(actions, "MAX_FILES", 3)
    gate = Barrier(6)

    def one(place):
        gate.wait()
        try:
            with transaction.atomic():
                attach(caller, thread, f"{place}.txt", b"x")
            return True
        except DomainError:
            return False
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        done = list(pool.map(one, range(6)))
    assert done.count(True) == 3
    assert Attachment.objects.count() == 3
