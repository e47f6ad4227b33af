"""One HTTP request, by urllib3: directly or through a proxy, with the policy's limits of time.

urllib3 is imported with the first request: importing it takes as long as a request to loopback.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from twofold import __version__
from twofold.errors import TwofoldError
from twofold.publish.responses import RetryPolicy
from twofold.publish.targets.settings import TlsSettings
from twofold.publish.transport.certificates import make_tls_context
from twofold.publish.transport.proxies import Proxy, find_proxy
from twofold.publish.transport.request_bodies import UploadBody
from twofold.publish.transport.time_limit import TimeLimit

if TYPE_CHECKING:
    import ssl

    from urllib3 import BaseHTTPResponse, PoolManager


@dataclass
class Transport:
    """Connections to servers, kept open until `close`."""

    retry_policy: RetryPolicy
    tls: TlsSettings = field(default_factory=TlsSettings)
    _pools: dict[tuple[Proxy | None, bool], PoolManager] = field(default_factory=dict)
    _context: ssl.SSLContext | None = None

    def open_response(
        self, method: str, url: str, headers: Mapping[str, str], body: UploadBody | bytes | None
    ) -> BaseHTTPResponse:
        """Send one request; its answer is not read yet. Follows no redirects."""
        from urllib3 import Timeout

        sent = {"User-Agent": f"twofold/{__version__}", "Accept": "*/*", **headers}
        if isinstance(body, UploadBody):
            sent["Content-Length"] = str(body.size)
            body.time_limit = TimeLimit(self.retry_policy)
        policy = self.retry_policy
        return self._choose_pool(url).urlopen(
            method,
            url,
            body=body,
            headers=sent,
            redirect=False,
            retries=False,
            preload_content=False,
            timeout=Timeout(connect=policy.connect, read=policy.read),
        )

    def close(self) -> None:
        """Close the connections."""
        for pool in self._pools.values():
            pool.clear()

    def _choose_pool(self, url: str) -> PoolManager:
        """The pool for a URL: one for direct connections, one for each proxy."""
        proxy, is_tls = find_proxy(url), url.lower().startswith("https:")
        if (proxy, is_tls) not in self._pools:
            self._pools[proxy, is_tls] = self._make_pool(proxy, is_tls)
        return self._pools[proxy, is_tls]

    def _make_pool(self, proxy: Proxy | None, is_tls: bool) -> PoolManager:
        import urllib3

        from twofold.publish.transport.connections import make_pool_classes

        options: dict[str, Any] = {"ssl_context": self._get_context()} if is_tls else {}
        pool: Any
        if proxy is None:
            pool = urllib3.PoolManager(**options)
        elif proxy.is_socks:
            pool = _make_socks_pool(proxy, options)
        else:
            if proxy.url.startswith("https:"):
                options["proxy_ssl_context"] = self._get_context()
            login = _make_proxy_login(proxy)
            pool = urllib3.ProxyManager(proxy.url, proxy_headers=login, **options)
        pool.pool_classes_by_scheme = make_pool_classes(
            self.retry_policy, pool.pool_classes_by_scheme
        )
        return cast("PoolManager", pool)

    def _get_context(self) -> ssl.SSLContext:
        if self._context is None:
            self._context = make_tls_context(self.tls)
        return self._context


def _make_proxy_login(proxy: Proxy) -> dict[str, str]:
    from urllib3.util import make_headers

    if not proxy.user and proxy.password is None:
        return {}
    password = proxy.password.reveal() if proxy.password else ""
    # Latin-1 is what urllib3 encodes; UTF-8 is what proxies expect (RFC 7617).
    login = f"{proxy.user}:{password}".encode().decode("latin-1")
    return dict(make_headers(proxy_basic_auth=login))


def _make_socks_pool(proxy: Proxy, options: dict[str, Any]) -> Any:
    """The pool of a SOCKS proxy, which needs PySocks."""
    try:
        from urllib3.contrib.socks import SOCKSProxyManager
    except ImportError:
        raise TwofoldError(
            f"{proxy} speaks SOCKS, for which PySocks is not installed",
            "pip install PySocks, or name an http proxy",
        ) from None
    password = proxy.password.reveal() if proxy.password else None
    return SOCKSProxyManager(proxy.url, proxy.user or None, password, **options)
