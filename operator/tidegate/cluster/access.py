"""How to reach the API server: address, TLS and credentials, from a kubeconfig or from the pod.

The kubernetes client loads them, in all the ways that it knows; its generated classes stay out of
memory.
"""

import asyncio
import os
import ssl
import time
from dataclasses import dataclass, field
from typing import Any

from tidegate.errors import SettingsError

_RELOAD_AT_MOST_EVERY = 10.0
"""Seconds between two looks for new credentials."""


@dataclass(slots=True)
class Access:
    """The way to the API server; each event loop needs its own."""

    server: str
    """Its URL, without a slash at the end."""
    tls: ssl.SSLContext | None
    tls_server_name: str | None
    proxy: str | None
    _configuration: Any = field(repr=False)
    _loaded_at: float = field(repr=False)

    @classmethod
    async def load(cls) -> "Access":
        """Read KUBECONFIG if it is set, else what the pod was given, else ``~/.kube/config``.

        Raises:
            SettingsError: there is no way to a cluster, or it can't be read.
        """
        configuration = await _configuration()
        return cls(
            server=configuration.host.rstrip("/"),
            tls=_tls(configuration) if configuration.host.startswith("https") else None,
            tls_server_name=configuration.tls_server_name,
            proxy=configuration.proxy,
            _configuration=configuration,
            _loaded_at=time.monotonic(),
        )

    async def authorization(self) -> dict[str, str]:
        """The headers that say who we are; a pod's token is read again as it is renewed."""
        token = await self._configuration.get_api_key_with_prefix("BearerToken")
        return {"Authorization": token} if token else {}

    async def for_kopf(self) -> Any:
        """The same way in kopf's terms."""
        import kopf  # heavy, and only the operator's process needs it

        configuration = self._configuration
        scheme, _, token = (await self.authorization()).get("Authorization", "").partition(" ")
        return kopf.ConnectionInfo(
            server=self.server,
            ca_path=configuration.ssl_ca_cert,
            ca_data=None if configuration.ssl_ca_cert else configuration.ca_cert_data,
            insecure=not configuration.verify_ssl,
            scheme=scheme.capitalize() or None,
            token=token.strip() or None,
            certificate_path=configuration.cert_file,
            private_key_path=configuration.key_file,
            proxy_url=self.proxy,
        )

    async def refresh(self) -> bool:
        """Look for new credentials after a 401; False if that was done a moment ago."""
        if time.monotonic() - self._loaded_at < _RELOAD_AT_MOST_EVERY:
            return False
        self._loaded_at = time.monotonic()
        self._configuration = await _configuration()
        if self.tls is not None:
            _load_client_certificate(self.tls, self._configuration)
        return True


async def _configuration() -> Any:
    # Imported here: it takes half a second that `--help` and settings errors needn't wait for.
    from kubernetes.aio.client.configuration import Configuration
    from kubernetes.aio.config import load_incluster_config, load_kube_config

    configuration = Configuration()
    explicit = os.environ.get("KUBECONFIG")
    try:
        if not explicit and os.environ.get("KUBERNETES_SERVICE_HOST"):
            await asyncio.to_thread(load_incluster_config, configuration)
        else:
            await load_kube_config(
                config_file=explicit, client_configuration=configuration, persist_config=False
            )
    except Exception as error:
        # The loaders raise whatever an odd file makes them stumble over.
        message = f"no access to a cluster: {error} (set KUBECONFIG, or run inside a cluster)"
        raise SettingsError(message) from error
    return configuration


def _tls(configuration: Any) -> ssl.SSLContext:
    context = ssl.create_default_context(
        cafile=configuration.ssl_ca_cert, cadata=configuration.ca_cert_data
    )
    _load_client_certificate(context, configuration)
    if not configuration.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _load_client_certificate(context: ssl.SSLContext, configuration: Any) -> None:
    if configuration.cert_file:
        context.load_cert_chain(configuration.cert_file, keyfile=configuration.key_file)
