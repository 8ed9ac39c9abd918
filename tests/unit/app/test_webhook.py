import asyncio
import io
import itertools
import json
import logging
import ssl
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from prometheus_client import REGISTRY

from tests.unit.app.pairs import HOST, pair, write
from tests.unit.app.test_webhook_review import CYCLE, SOUND, review
from tidegate.app import webhook as module
from tidegate.app.process import Process, serves
from tidegate.app.webhook import MAX_BYTES, PATH, webhook
from tidegate.settings import Settings

PAIR = pair("webhook")


class Asker:
    """An API server: it trusts the certificate and asks by the Service's name."""

    def __init__(self, session: aiohttp.ClientSession, port: int) -> None:
        self._session, self._port = session, port
        self._tls = ssl.create_default_context(cadata=PAIR[0].decode())

    async def ask(self, body: Any = b"", path: str = PATH, method: str = "POST") -> tuple[int, Any]:
        raw = json.dumps(body).encode() if isinstance(body, dict) else body
        data = io.BytesIO(raw) if isinstance(raw, bytes) else raw
        url = f"https://127.0.0.1:{self._port}{path}"
        async with self._session.request(
            method, url, ssl=self._tls, server_hostname=HOST, data=data
        ) as response:
            is_json = response.content_type == "application/json"
            return response.status, await (response.json() if is_json else response.text())


@pytest.fixture
async def asker(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> AsyncIterator[Asker]:
    caplog.set_level(logging.INFO)
    write(tmp_path, *PAIR)
    async with (
        webhook(str(tmp_path), 0, serves(Settings())) as certificates,
        aiohttp.ClientSession() as session,
    ):
        assert certificates is not None
        assert certificates.is_loaded
        (line,) = [r for r in caplog.records if "webhook on port" in r.getMessage()]
        yield Asker(session, int(line.args[1]))  # type: ignore[index,arg-type]


def counted(result: str) -> float:
    name = "tidegate_webhook_requests_total"
    return REGISTRY.get_sample_value(name, {"result": result}) or 0.0


async def test_it_accepts_refuses_and_counts(asker: Asker) -> None:
    before = {result: counted(result) for result in ("accepted", "refused", "passed")}
    assert await asker.ask(review(SOUND)) == (
        200,
        {
            "apiVersion": "admission.k8s.io/v1",
            "kind": "AdmissionReview",
            "response": {"uid": "u-1", "allowed": True},
        },
    )
    status, answered = await asker.ask(review(CYCLE, SOUND))
    assert (status, answered["response"]["allowed"]) == (200, False)
    await asker.ask(review(CYCLE, CYCLE))
    assert {result: counted(result) - before[result] for result in before} == {
        "accepted": 1,
        "refused": 1,
        "passed": 1,
    }


@pytest.mark.parametrize(
    "body",
    [b"", b"nonsense", b"\xff\xfe", b"[" * 100_000, b"null", b"NaN", b'{"a": 1'],
    ids=["empty", "no JSON", "no UTF-8", "deep", "null", "NaN", "cut"],
)
async def test_what_is_malformed_is_answered_in_words(
    asker: Asker, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    status, text = await asker.ask(body)
    assert status == 400
    assert 0 < len(text) < 300
    assert all(r.levelno < logging.WARNING for r in caplog.records)


async def test_a_body_beyond_all_objects_is_not_read(asker: Asker) -> None:
    status, _ = await asker.ask(b" " * (MAX_BYTES + 1))
    assert status == 413


async def test_two_objects_as_large_as_can_be_are_read(asker: Asker) -> None:
    old = {"nodes": [{"name": "a", "image": "i", "script": "x" * 1_500_000}]}
    status, answered = await asker.ask(review(SOUND, old))
    assert (status, answered["response"]["allowed"]) == (200, True)
    status, answered = await asker.ask(review(old, SOUND))
    assert "KiB" in answered["response"]["status"]["message"]


@pytest.mark.parametrize(("method", "path"), [("GET", PATH), ("POST", "/"), ("POST", "/metrics")])
async def test_there_is_nothing_else(asker: Asker, method: str, path: str) -> None:
    status, _ = await asker.ask(b"{}", path, method)
    assert status in {404, 405}


async def test_a_bug_is_logged_and_answered(
    asker: Asker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(module, "answer", broken)
    status, text = await asker.ask(review(SOUND))
    assert status == 500
    assert "ZeroDivisionError" not in text
    assert "this is a bug" in caplog.text


async def test_one_after_another_and_never_most_of_the_time(
    asker: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    spans = []

    def slow(*_: object) -> tuple[str, dict[str, bool]]:
        began = time.monotonic()
        while time.monotonic() - began < 0.03:
            pass
        spans.append((began, time.monotonic()))
        return "accepted", {"slow": True}

    monkeypatch.setattr(module, "answer", slow)
    answers = await asyncio.gather(*(asker.ask(review(SOUND)) for _ in range(4)))
    assert answers == [(200, {"slow": True})] * 4
    pauses = [after[0] - before[1] for before, after in itertools.pairwise(spans)]
    assert min(pauses) >= 0.025


async def test_too_many_at_once_are_sent_away(
    asker: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MAX_AT_ONCE", 0)
    assert (await asker.ask(review(SOUND)))[0] == 503


async def test_a_body_that_never_comes_is_not_waited_for(
    asker: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_READ_WITHIN", 0.05)

    async def dribble() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.sleep(0.3)
        yield b"}"

    assert (await asker.ask(dribble()))[0] == 503


async def test_without_a_folder_there_is_no_webhook() -> None:
    async with webhook("", 0, serves(Settings())) as certificates:
        assert certificates is None


class _Process(Process):
    def __init__(self, settings: Settings) -> None:
        self._settings, self._synced = settings, asyncio.Event()
        self._synced.set()
        self._certificates = None


async def test_a_webhook_without_certificate_is_not_ready(tmp_path: Path) -> None:
    settings = Settings(webhook_certificates=str(tmp_path), webhook_port=0)
    process = _Process(settings)
    assert process.unready() == []
    async with webhook(str(tmp_path), 0, serves(settings)) as certificates:
        process._certificates = certificates
        assert process.unready() == [f"the webhook has no certificate in {tmp_path}"]
        write(tmp_path, *PAIR)
        assert certificates
        certificates.refresh()
        assert process.unready() == []
