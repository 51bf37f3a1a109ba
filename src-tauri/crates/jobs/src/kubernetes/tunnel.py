# Leads a port of a pod's loopback to whoever holds this program's standard input and output.
#
#   tunnel.py find         says a free port, and ends
#   tunnel.py serve PORT   listens there until its input ends, or nobody reads its output
#
# Frames, both ways: number of the connection and length (4 bytes each, big-endian), then so many bytes; a length of 0 ends it.
import os
import select
import socket
import struct
import sys
import threading

HEAD = struct.Struct(">II")
PIECE = 1 << 15

connections = {}
writing = threading.Lock()


def send(number, data):
    with writing:
        view = memoryview(HEAD.pack(number, len(data)) + data)
        while view:
            try:
                view = view[os.write(1, view) :]
            except OSError:
                os._exit(0)


def read(size):
    data = b""
    while len(data) < size:
        piece = os.read(0, size - len(data))
        if not piece:
            os._exit(0)
        data += piece
    return data


def pump(number, client):
    try:
        while data := client.recv(PIECE):
            send(number, data)
    except OSError:
        pass
    if connections.pop(number, None):
        client.close()
        send(number, b"")


def hear():
    while True:
        number, size = HEAD.unpack(read(HEAD.size))
        data = read(size)
        client = connections.get(number)
        if client is None:
            continue
        try:
            if size:
                client.sendall(data)
            else:
                client.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # Its own reader notices.


def watch():
    """The port is for whoever comes after a cut: it is given back as soon as nobody reads."""
    output = select.poll()
    output.register(1, 0)
    output.poll()
    os._exit(0)


def serve(port):
    listener = socket.create_server(("127.0.0.1", port))
    for work in (hear, watch):
        threading.Thread(target=work, daemon=True).start()
    number = 0
    while True:
        client, _ = listener.accept()
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        number += 1
        connections[number] = client
        threading.Thread(target=pump, args=(number, client), daemon=True).start()


if sys.argv[1] == "find":
    probe = socket.create_server(("127.0.0.1", 0))
    print(probe.getsockname()[1])
else:
    serve(int(sys.argv[2]))
