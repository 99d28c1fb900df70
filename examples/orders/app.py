"""Run the orders service: ``python app.py --port 8081 --data /tmp/orders``."""

from __future__ import annotations

import argparse
import signal
import threading
from pathlib import Path

from orders.health import Health
from orders.logs import event, log, set_up
from orders.storage import Storage
from orders.web import Release, Server


def main() -> None:
    options = parse()
    set_up()
    release = Release(options.release, options.commit, options.environment)
    log.info(event("starting", release=release.version, environment=release.environment))
    storage = Storage(options.data / f"{options.environment}.sqlite3")
    storage.create()
    log.info(event("storage_open", file=storage.path.name, orders=storage.count()))
    server = Server(options.port, storage, Health({"storage": storage.check}), release)
    stop_on_signal(server)
    log.info(event("listening", url=f"http://127.0.0.1:{server.server_port}"))
    server.serve_forever(poll_interval=0.1)
    server.server_close()
    log.info(event("stopped"))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8081)
    parser.add_argument("--data", type=Path, required=True, help="folder that outlives a release")
    parser.add_argument("--environment", default="development")
    parser.add_argument("--release", default="unreleased")
    parser.add_argument("--commit", default="")
    return parser.parse_args()


def stop_on_signal(server: Server) -> None:
    """Finish what is being answered, then end."""

    def stop(number: int, _frame: object) -> None:
        log.info(event("stopping", signal=signal.Signals(number).name))
        # shutdown() waits for serve_forever, which this very thread is running.
        threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)


if __name__ == "__main__":
    main()
