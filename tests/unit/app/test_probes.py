import asyncio

import aiohttp
import pytest

from tidegate.app import probes


async def get(port: int, path: str) -> tuple[int, str]:
    url = f"http://127.0.0.1:{port}{path}"
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status, await response.text()


async def test_what_is_wrong_is_told() -> None:
    wrong: list[str] = []
    application = probes.probes(lambda: wrong, lambda: ["nothing is listed"])
    async with probes.served(application, 0, "probes") as port:
        assert await get(port, "/healthz") == (200, "ok")
        assert await get(port, "/readyz") == (503, "nothing is listed")
        wrong += ["the queue stands still", "the elector is silent"]
        assert await get(port, "/healthz") == (
            503,
            "the queue stands still; the elector is silent",
        )


async def test_metrics_are_served() -> None:
    async with probes.served(probes.metrics(), 0, "metrics") as port:
        status, text = await get(port, "/metrics")
    assert status == 200
    assert "tidegate_waves_total" in text
    assert "process_resident_memory_bytes" in text
    assert "python_info" in text


@pytest.mark.parametrize("noise", [b"hello", b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n"])
async def test_what_is_no_http_is_answered_and_not_logged(
    noise: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with probes.served(probes.metrics(), 0, "metrics") as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(noise + b"\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.0 400")
        writer.close()
    assert "Traceback" not in caplog.text
    assert "Error" not in caplog.text
