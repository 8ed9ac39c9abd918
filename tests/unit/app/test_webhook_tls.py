import asyncio
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import uvloop

from tests.unit.app.pairs import HOST, pair, write
from tidegate.app.webhook_tls import Certificates

MINE, NEXT = pair("mine"), pair("next")


@asynccontextmanager
async def listening(certificates: Certificates) -> AsyncIterator[int]:
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0, ssl=certificates.entrance)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def shown(port: int, name: str | None = HOST) -> bytes:
    """The certificate that a client gets to see."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    _, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=context, server_hostname=name or "127.0.0.1"
    )
    tls = writer.get_extra_info("ssl_object")
    certificate = ssl.DER_cert_to_PEM_cert(tls.getpeercert(binary_form=True))
    writer.transport.abort()
    return certificate.encode()


@pytest.mark.parametrize("name", [HOST, None], ids=["named", "by address"])
async def test_a_renewed_pair_is_taken_up_by_the_next_connection(
    tmp_path: Path, name: str | None
) -> None:
    certificates = Certificates(tmp_path)
    write(tmp_path, *MINE)
    certificates.refresh()
    async with listening(certificates) as port:
        assert await shown(port, name) == MINE[0]
        write(tmp_path, *NEXT)
        assert await shown(port, name) == MINE[0]
        certificates.refresh()
        assert await shown(port, name) == NEXT[0]


def test_uvloop_serves_them_too(tmp_path: Path) -> None:
    async def both() -> list[bytes]:
        certificates = Certificates(tmp_path)
        seen = []
        async with listening(certificates) as port:
            for one in (MINE, NEXT):
                write(tmp_path, *one)
                certificates.refresh()
                seen.append(await shown(port))
        return seen

    assert uvloop.run(both()) == [MINE[0], NEXT[0]]


@pytest.mark.parametrize(
    "broken",
    [
        (MINE[0], NEXT[1]),
        (b"", b""),
        (b"nonsense", NEXT[1]),
        (NEXT[0], b"\xff\x00"),
        pair("locked", passphrase=b"secret"),
    ],
    ids=["no pair", "empty", "no certificate", "no key", "passphrase"],
)
async def test_half_a_renewal_is_never_served_and_told_once(
    tmp_path: Path, broken: tuple[bytes, bytes], caplog: pytest.LogCaptureFixture
) -> None:
    certificates = Certificates(tmp_path)
    write(tmp_path, *MINE)
    certificates.refresh()
    write(tmp_path, *broken)
    for _ in range(3):
        certificates.refresh()
    async with listening(certificates) as port:
        assert await shown(port) == MINE[0]
        write(tmp_path, *NEXT)
        certificates.refresh()
        assert await shown(port) == NEXT[0]
    warnings = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert "the former one stays in use" in warnings[0]


async def test_without_a_pair_nobody_is_served_until_there_is_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "absent"
    certificates = Certificates(folder)
    certificates.refresh()
    assert not certificates.is_loaded
    assert "absent" in caplog.text
    async with listening(certificates) as port:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await shown(port)
        write(folder, *MINE)
        certificates.refresh()
        assert certificates.is_loaded
        assert await shown(port) == MINE[0]


async def test_it_looks_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tidegate.app.webhook_tls.LOOK_EVERY", 0.001)
    certificates = Certificates(tmp_path)
    look = asyncio.create_task(certificates.refresh_forever())
    write(tmp_path, *MINE)
    async with asyncio.timeout(5):
        while not certificates.is_loaded:  # noqa: ASYNC110 - the files are what is waited for
            await asyncio.sleep(0)
    look.cancel()
