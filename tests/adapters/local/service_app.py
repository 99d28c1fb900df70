"""A small web service that can be told, by a file of its commit, to misbehave in one way."""

import http.server
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(__file__).parent
VERSION = (HERE / "VERSION").read_text().strip()
PORT = int(os.environ["PORT"])
MODE = (HERE / "mode").read_text().split() if (HERE / "mode").exists() else []
MODE += os.environ.get("APP_MODE", "").split()
PUBLIC_PORT = int(os.environ.get("APP_PUBLIC_PORT", "0"))
ASKED = iter(range(1_000_000))


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/close":
            # Lives on without its port, as a service does that lost its listener.
            self.server.socket.close()
        if "hangs" in MODE:
            threading.Event().wait()
        status = 200
        if "unhealthy" in MODE or ("unhealthy-in-public" in MODE and PORT == PUBLIC_PORT):
            status = 503
        if "flaps" in MODE and next(ASKED) % 2:
            status = 503
        body = f"{VERSION} {os.getpid()}" if status == 200 else "the database is unreachable"
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *args):
        pass


def main():
    print(f"starting {VERSION} on port {PORT}")
    if "dies" in MODE or ("dies-in-public" in MODE and PORT == PUBLIC_PORT):
        print("cannot read the settings file", file=sys.stderr)
        sys.exit(3)
    if "stubborn" in MODE:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if "forks" in MODE:
        sleeper = [sys.executable, "-c", "import time; time.sleep(600)"]
        subprocess.Popen(sleeper)
        subprocess.Popen(sleeper, start_new_session=True)
    if "loud" in MODE:
        for number in range(120_000):
            print(f"line {number} " + "x" * 60)
    if "slow" in MODE:
        time.sleep(1.5)
    port = PORT + 1 if "elsewhere" in MODE else PORT
    http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


main()
