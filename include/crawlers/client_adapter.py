"""Makes a client library's requests go through the transport: the library's session mounts it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import urlsplit, urlunsplit

import requests
from requests.adapters import BaseAdapter


class ClientAdapter(BaseAdapter):
    """A requests adapter that sends through ``send``; see ``Transport.adapter``.

    The library's own timeout, proxies and certificates are set aside: the transport has its own.
    """

    def __init__(
        self,
        send: Callable[[requests.PreparedRequest, str], requests.Response],
        base_url: str | None,
        on_body: Callable[[requests.PreparedRequest, bytes], None] | None,
        endpoint: Callable[[requests.PreparedRequest], str],
    ) -> None:
        super().__init__()
        self._send = send
        self._base_url = base_url
        self._on_body = on_body
        self._endpoint = endpoint

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: float | tuple[float, float] | tuple[float, None] | None = None,
        verify: bool | str = True,
        cert: bytes | str | tuple[bytes | str, bytes | str] | None = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """The answer with its body received.

        Raises:
            CollectionOutcome: as ``Transport.get``.
        """
        response = self._send(self._redirected(request), self._endpoint(request))
        # The library is told what it asked for, so that cookies and redirects stay with the source's host.
        response.request, response.url = request, request.url or ""
        if self._on_body and response.status_code == 200:
            self._on_body(request, response.content)
        return response

    def close(self) -> None:
        """Nothing: the connections are the transport's."""

    def _redirected(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._base_url is None:
            return request
        base, asked = urlsplit(self._base_url), urlsplit(request.url or "")
        copy = request.copy()
        copy.url = urlunsplit((base.scheme, base.netloc, asked.path, asked.query, ""))
        return copy


def path_of(request: requests.PreparedRequest) -> str:
    """The path of the request's URL, without the query."""
    return urlsplit(request.url or "").path
