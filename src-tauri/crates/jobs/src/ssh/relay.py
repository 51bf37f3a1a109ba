# Leads a port of a cluster's login node, where a tunnel ends, to the nodes where jobs run: a tunnel ends at loopback, and a
# job is elsewhere.
#
#   relay.py serve PORT FILE PARENT    on the login node: any address of it to its own 127.0.0.1:PORT; FILE says where
#   relay.py reach FILE PARENT         on a node: a port of its 127.0.0.1, which is printed, to where FILE says
#
# Both end with the process PARENT. FILE lies on a file system that both see, and changes with every new connection.
import os
import socket
import sys
import threading
import time

CONNECT_SECONDS = 5
REACH_SECONDS = 60


def pump(source, target):
    try:
        while data := source.recv(1 << 16):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        # Who waits for an answer must not wait for ever.
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def join(client, connect):
    try:
        server = connect()
    except OSError:
        client.close()
        return
    back = threading.Thread(target=pump, args=(server, client), daemon=True)
    back.start()
    pump(client, server)
    back.join()
    client.close()
    server.close()


def accept(listener, connect):
    while True:
        client, _ = listener.accept()
        threading.Thread(target=join, args=(client, connect), daemon=True).start()


def end_with(parent):
    while True:
        time.sleep(2)
        try:
            os.kill(parent, 0)
        except OSError:
            os._exit(0)


def addresses():
    found = [socket.gethostname()]
    probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        # Nothing is sent: this asks which of its addresses the machine would use.
        probe.connect(("192.0.2.1", 9))
        found.append(probe.getsockname()[0])
    except OSError:
        pass
    return found


def serve(port, path):
    listener = socket.create_server(("", 0))
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write(" ".join([str(listener.getsockname()[1]), *addresses()]))
    os.replace(path + ".new", path)

    def connect():
        server = socket.create_connection(("127.0.0.1", port), CONNECT_SECONDS)
        server.settimeout(None)
        return server

    accept(listener, connect)


def reached(path):
    begun = time.monotonic()
    while True:
        try:
            with open(path, encoding="utf-8") as file:
                port, *hosts = file.read().split()
        except (OSError, ValueError):
            port, hosts = "0", []
        for host in hosts:
            try:
                server = socket.create_connection((host, int(port)), CONNECT_SECONDS)
                server.settimeout(None)
                return server
            except OSError:
                continue
        if time.monotonic() - begun > REACH_SECONDS:
            raise OSError("nobody there")
        time.sleep(0.5)


def reach(path):
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    if os.fork():
        os._exit(0)
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    threading.Thread(target=end_with, args=(parent,), daemon=True).start()
    accept(listener, lambda: reached(path))


verb, *words = sys.argv[1:]
parent = int(words.pop())
if verb == "serve":
    threading.Thread(target=end_with, args=(parent,), daemon=True).start()
    serve(int(words[0]), words[1])
else:
    reach(words[0])
