"""The socket's own settings, where the default would hurt."""

from __future__ import annotations

import zmq
from omni123_extension.blender_addon.core.endpoint import Endpoint
from omni123_extension.blender_addon.core.keys import KeyPair
from omni123_extension.blender_addon.core.transport import CurveSocket


def test_what_a_busy_blender_does_not_read_never_fills_the_queue() -> None:
    """libzmq stops reading then, and may abort the process when it reconnects (its issue 3937)."""
    public, secret = (key.decode() for key in zmq.curve_keypair())
    with zmq.Context() as context:
        socket = CurveSocket(context, Endpoint("tcp://127.0.0.1:1", public), KeyPair(public, secret))
        seconds_until_forgotten, messages_a_second = 30, 200
        assert socket._socket.rcvhwm > seconds_until_forgotten * messages_a_second
        assert socket._socket.heartbeat_ivl == 0  # the connection pings by itself
        assert socket._socket.linger == 0
        socket.close()
