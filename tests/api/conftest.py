"""The gateway that Schemathesis calls."""

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from gateway_process import Gateway

CONFIG = """
[signup]
mode = "open"

[billing]
provider = "test"

[oidc]
issuer = "%s"
client_id = "tidegate"
client_secret = "secret"

[[providers]]
name = "demo"
kind = "demo"
"""


class Description(BaseHTTPRequestHandler):
    """All that a provider of identities is asked for before anybody comes back from it."""

    def do_GET(self):
        issuer = f"http://127.0.0.1:{self.server.server_address[1]}"
        names = {"authorization_endpoint": "/authorize", "token_endpoint": "/token", "jwks_uri": "/keys"}
        body = {"issuer": issuer, "keys": [], **{name: issuer + path for name, path in names.items()}}
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_):
        pass


@pytest.fixture
def issuer():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Description)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def gateway(issuer):
    gateway = Gateway(CONFIG % issuer)
    yield gateway
    assert gateway.stop() == 0
