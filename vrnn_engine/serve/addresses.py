"""The addresses of clients: which of them are one client, and how many sessions each client has."""

import collections
import ipaddress
from collections.abc import Container


class Addresses:
    """Counts the sessions of each client.  The thread of the event loop calls it."""

    def __init__(self) -> None:
        self._counts: collections.Counter[str] = collections.Counter()

    def enter(self, client: str, most: float) -> bool:
        """Count a session; return False, and count nothing, if the client has as many as it may have.

        Parameters
        ----------
        client : str
            The client, as `client_key` returns it.
        most : float
            Sessions that it may have at the same time.
        """
        if self._counts[client] >= most:
            return False
        self._counts[client] += 1
        return True

    def leave(self, client: str) -> None:
        """Count a session no more.

        Parameters
        ----------
        client : str
        """
        self._counts[client] -= 1
        if not self._counts[client]:
            del self._counts[client]


def client_key(address: str) -> str:
    """Return what stands for a client: its address, or the first 64 bits of an IPv6 address.

    Parameters
    ----------
    address : str
        Address of the client; anything else is returned unchanged.

    Examples
    --------
    >>> client_key("2001:db8:1:2:3:4:5:6")
    '2001:db8:1:2::'
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if not isinstance(found, ipaddress.IPv6Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.IPv6Address(int(found) >> 64 << 64))  # one subscriber has as many addresses as it wants


def limited_client(host: str | None, proxies: Container[str]) -> str | None:
    """Return what stands for a client, as `client_key` does; None if its address stands for many clients.

    Parameters
    ----------
    host : str or None
        Address of the other side; None if it has none.
    proxies : container of str
        Addresses of the proxies whose word is believed.  Such an address is that of a proxy that has named no client.
    """
    return None if host is None or host in proxies else client_key(host)
