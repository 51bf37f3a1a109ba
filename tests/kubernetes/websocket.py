"""As much of RFC 6455 as `exec` needs, and Kubernetes' channels over it."""
import base64
import hashlib
import json
import struct
import subprocess
import threading

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
STDIN, STDOUT, STDERR, STATUS, CLOSE = 0, 1, 2, 3, 255
BINARY, CLOSING, PING, PONG = 2, 8, 9, 10


def accept(key):
    return base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()


class Socket:
    def __init__(self, reader, writer):
        self.reader, self.writer, self.lock = reader, writer, threading.Lock()

    def read(self):
        """One message as (opcode, payload)."""
        whole, opcode = b"", None
        while True:
            head = self._exactly(2)
            final, kind, size = head[0] & 128, head[0] & 15, head[1] & 127
            if size == 126:
                (size,) = struct.unpack(">H", self._exactly(2))
            elif size == 127:
                (size,) = struct.unpack(">Q", self._exactly(8))
            mask = self._exactly(4)
            data = self._exactly(size)
            if size:
                key = (mask * (size // 4 + 1))[:size]
                data = (int.from_bytes(data, "big") ^ int.from_bytes(key, "big")).to_bytes(size, "big")
            if kind == PING:
                self.write(data, PONG)
                continue
            opcode = opcode or kind
            whole += data
            if final:
                return opcode, whole

    def _exactly(self, size):
        data = self.reader.read(size)
        if len(data) < size:
            raise EOFError
        return data

    def write(self, data, opcode=BINARY):
        size = len(data)
        head = bytes([128 | opcode])
        if size < 126:
            head += bytes([size])
        elif size < 65536:
            head += bytes([126]) + struct.pack(">H", size)
        else:
            head += bytes([127]) + struct.pack(">Q", size)
        with self.lock:
            self.writer.write(head + data)
            self.writer.flush()


def status(code):
    if code < 0:
        code = 128 - code
    if code == 0:
        return {"metadata": {}, "status": "Success"}
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"command terminated with non-zero exit code: exit status {code}",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }


def refuse(socket, why):
    """When the container has no such program."""
    said = {"metadata": {}, "status": "Failure", "message": why, "reason": "InternalError", "code": 500}
    socket.write(bytes([STATUS]) + json.dumps(said).encode())
    socket.write(struct.pack(">H", 1000), CLOSING)


def serve(socket, process, on_end):
    """Joins a process' streams with the channels until one of both ends."""

    def output(channel, stream):
        try:
            while data := stream.read1(1 << 15):
                socket.write(bytes([channel]) + data)
        except (OSError, ValueError):
            pass

    def end(pumps):
        code = process.wait()
        for pump in pumps:
            pump.join()
        try:
            socket.write(bytes([STATUS]) + json.dumps(status(code)).encode())
            socket.write(struct.pack(">H", 1000), CLOSING)
        except (OSError, ValueError):
            pass
        on_end()

    pumps = [
        threading.Thread(target=output, args=pair, daemon=True) for pair in ((STDOUT, process.stdout), (STDERR, process.stderr))
    ]
    for pump in pumps:
        pump.start()
    threading.Thread(target=end, args=(pumps,), daemon=True).start()
    try:
        while True:
            opcode, data = socket.read()
            if opcode == CLOSING:
                break
            if data[:1] == bytes([STDIN]) and process.stdin:
                try:
                    process.stdin.write(data[1:])
                    process.stdin.flush()
                except OSError:
                    pass  # It ended, or does not read.
            elif data[:2] == bytes([CLOSE, STDIN]) and process.stdin:
                process.stdin.close()
    except (EOFError, OSError, ValueError):
        pass
    finally:
        try:
            if process.stdin:
                process.stdin.close()
        except (OSError, ValueError):
            pass


def spawn(argv, stdin, **how):
    return subprocess.Popen(
        argv, stdin=subprocess.PIPE if stdin else subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **how
    )
