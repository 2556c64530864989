"""Keeps new connections from a listening socket that is about to close.

Between the last `accept` and `close` a connection can be made that is accepted by none: the kernel resets it, after its
caller has sent a request. So a filter drops each SYN before. The caller's kernel sends it again after a second (RFC
6298, section 2): to another process that shares the port, or to a closed port, which refuses it.
"""

import ctypes
import socket
import struct
import sys

SO_ATTACH_FILTER = 26
"""Linux names this option in asm-generic/socket.h; the module `socket` does not."""

FLAGS_OFFSET = 13
"""Byte of the TCP header that holds the flags (RFC 9293, section 3.1); a filter sees a segment from its header on."""

SYN, ACK = 0x02, 0x10
EVERY_BYTE = 0xFFFF_FFFF

DROP_EACH_SYN = (
    (0x30, 0, 0, FLAGS_OFFSET),  # ldb: load the flags
    (0x54, 0, 0, SYN | ACK),  # and
    (0x15, 0, 1, SYN),  # jeq: a SYN that opens a connection is
    (0x06, 0, 0, 0),  # ret: dropped;
    (0x06, 0, 0, EVERY_BYTE),  # ret: all else passes, such as the last segment of a handshake
)
"""Classic BPF: code, jump if true, jump if false, operand (linux/filter.h)."""


def drop_new_connections(listener: socket.socket) -> bool:
    """Let no connection begin at this socket from now on; handshakes that began go on. False where the system has no
    such filter.
    """
    if sys.platform != "linux":
        return False
    program = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *each) for each in DROP_EACH_SYN))
    try:
        listener.setsockopt(
            socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HP", len(DROP_EACH_SYN), ctypes.addressof(program))
        )
    except OSError:
        return False
    return True
