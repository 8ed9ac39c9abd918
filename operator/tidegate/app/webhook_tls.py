"""The webhook's certificate: files that others renew, taken up without a restart.

Each connection is served with the pair that was last found sound. The pair is loaded into a fresh
TLS context first and takes the former's place as a whole, so that half a renewal is never served.
"""

import asyncio
import hashlib
import logging
import ssl
from pathlib import Path

log = logging.getLogger(__name__)

LOOK_EVERY = 10.0
"""Seconds between two looks at the files; kubelets bring a changed Secret within 60 to 90."""
_CERTIFICATE, _KEY = "tls.crt", "tls.key"


class Certificates:
    """The pair ``tls.crt`` and ``tls.key`` of a folder, named as in Secrets of that type."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._current: ssl.SSLContext | None = None
        self._seen = ""
        self._complaint = ""
        self._entrance = _context()
        self._entrance.sni_callback = self._choose

    @property
    def entrance(self) -> ssl.SSLContext:
        """What a server listens with, whatever happens to the files."""
        return self._entrance

    @property
    def is_loaded(self) -> bool:
        """Whether there is a pair to serve with; a broken one doesn't replace a sound one."""
        return self._current is not None

    def refresh(self) -> None:
        """Take up what the files hold, if it is new and sound; else say what is wrong, once."""
        try:
            seen = self._digest()
            if seen == self._seen:
                return
            fresh = _context()
            # Never ask a terminal for the passphrase of a key.
            fresh.load_cert_chain(
                self._folder / _CERTIFICATE, self._folder / _KEY, password=_no_passphrase
            )
        except (OSError, ValueError) as error:
            self._complain(str(error))
            return
        self._current, self._seen, self._complaint = fresh, seen, ""
        log.info("webhook: the certificate in %s is in use", self._folder)

    async def refresh_forever(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY)
            self.refresh()

    def _choose(
        self, connection: ssl.SSLObject, _name: str | None, _from: ssl.SSLContext
    ) -> int | None:
        """Called for each handshake, with or without a server name."""
        if self._current is None:
            return ssl.ALERT_DESCRIPTION_INTERNAL_ERROR
        connection.context = self._current
        return None

    def _digest(self) -> str:
        digest = hashlib.sha256()
        for name in (_CERTIFICATE, _KEY):
            digest.update((self._folder / name).read_bytes())
        return digest.hexdigest()

    def _complain(self, words: str) -> None:
        if words != self._complaint:
            kept = "; the former one stays in use" if self._current else ""
            log.warning("webhook: no certificate to be had: %s%s", words, kept)
            self._complaint = words


def _context() -> ssl.SSLContext:
    return ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)


def _no_passphrase() -> str:
    raise ValueError("the key is encrypted; it must have no passphrase")
