"""Addresses that a server listens at: who can connect, and the token that strangers then have to know."""

from __future__ import annotations

import ipaddress

from hgrkit.errors import ConfigError

__all__ = ["check_access", "is_loopback"]

_SHORTEST_TOKEN = 16
"""Characters; 16 random letters and digits are beyond what guesses over a network can try."""


def check_access(host: str, token: str | None) -> None:
    """Refuse an address at which strangers can connect without a good token.

    Raises:
        ConfigError: if others can connect and there is no token, or the token is short.
    """
    if token is None and not is_loopback(host):
        raise ConfigError(
            f"at {host!r} other machines can connect; give a token that they have to know (--token), or serve at "
            "127.0.0.1."
        )
    if token is not None and (len(token) < _SHORTEST_TOKEN or not token.isascii() or not token.isprintable()):
        raise ConfigError(
            f"a token has at least {_SHORTEST_TOKEN} ASCII characters, got {len(token)}; make one with: "
            "python -c 'import secrets; print(secrets.token_urlsafe())'"
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine can connect to an address.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("::1"), is_loopback("0.0.0.0")
    (True, True, True, False)
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
