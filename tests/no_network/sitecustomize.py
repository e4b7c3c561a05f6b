"""On a process's path, this makes every address but this machine's own unreachable."""

import ipaddress
import os
import socket

_connect, _connect_ex, _getaddrinfo = (
    socket.socket.connect,
    socket.socket.connect_ex,
    socket.getaddrinfo,
)


def _refuse_outside(host):
    if isinstance(host, bytes):
        host = host.decode()
    try:
        local = host in (None, "", "localhost") or ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = False
    if not local:
        raise ConnectionRefusedError(f"the tests allow no network, but {host!r} was asked for")


def _checked(real):
    def connect(self, address):
        if isinstance(address, tuple):  # a Unix socket's address is a path
            _refuse_outside(address[0])
        return real(self, address)

    return connect


def getaddrinfo(host, *rest, **options):
    _refuse_outside(host)
    return _getaddrinfo(host, *rest, **options)


for name in [n for n in os.environ if n.lower().endswith("_proxy")]:
    del os.environ[name]  # one on this machine would reach what we must not
socket.socket.connect = _checked(_connect)
socket.socket.connect_ex = _checked(_connect_ex)
socket.getaddrinfo = getaddrinfo
