"""The built program as a child process on a port of its own, and what the tests ask of its operator API.

It knows the command line and the contract, nothing of the code. Standard library only.
"""

import contextlib
import json
import os
import re
import signal
import sqlite3
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

OPERATOR_TOKEN = "tests-operator-token-0123456789abcdef"


class Gateway:
    """Tidegate, serving `config` from a temporary data folder until `stop`."""

    def __init__(self, config: str):
        binary = os.environ.get("TIDEGATE_BIN")
        if not binary:
            raise RuntimeError("TIDEGATE_BIN names the program under test; `cargo xtask test` sets it")
        self._folder = tempfile.TemporaryDirectory(prefix="tidegate-test-")
        self._binary = binary
        (Path(self._folder.name) / "tidegate.toml").write_text(config)
        self._start()

    def _start(self):
        folder = Path(self._folder.name)
        # The service of this machine's developer is no part of the test.
        environment = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "TMPDIR")}
        environment["TIDEGATE_OPERATOR_TOKEN"] = OPERATOR_TOKEN
        self._process = subprocess.Popen(
            [self._binary, "serve", "--config", str(folder / "tidegate.toml"), "--listen", "127.0.0.1:0", "--data-dir", str(folder / "data")],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment, cwd=folder,
        )
        self._printed: list[str] = getattr(self, "_printed", [])
        self._port_known = threading.Event()
        self._port = 0
        threading.Thread(target=self._read, args=(self._process, self._port_known), daemon=True).start()
        if not self._port_known.wait(30) or not self._port:
            self.stop()
            raise RuntimeError("the gateway did not say where it listens:\n" + "".join(self._printed))

    def _read(self, process, port_known):
        for line in process.stdout:
            self._printed.append(line)
            found = re.search(r"http://127\.0\.0\.1:(\d+)", line)
            if found and not self._port:
                self._port = int(found.group(1))
                port_known.set()
        port_known.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def base_url(self) -> str:
        """What a client's SDK is given."""
        return self.url + "/v1"

    def printed(self) -> str:
        return "".join(self._printed)

    def stop(self) -> int:
        """Asks it to end, as a service manager would; its exit status."""
        try:
            return self._end()
        finally:
            self._folder.cleanup()

    def _end(self) -> int:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(40)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise

    def restart(self, meanwhile):
        """Ends it in good order, has `meanwhile` change its database, and starts it again on another port."""
        assert self._end() == 0
        with contextlib.closing(sqlite3.connect(Path(self._folder.name) / "data" / "tidegate.db")) as database, database:
            meanwhile(database)
        self._start()

    def operator(self, method: str, path: str, body=None):
        """One call of the operator API; its answer as JSON. An error status raises."""
        return call(method, f"{self.url}/api/v1{path}", OPERATOR_TOKEN, body)[1]

    def org(self, plan: str, limits=None) -> "Org":
        made = self.operator("POST", "/orgs", {"name": "Tests", "plan": plan})
        if limits is not None:
            self.operator("PUT", f"/orgs/{made['id']}/limits", limits)
        return Org(self, made["id"])


class Org:
    """An organisation made for one test, with a key."""

    def __init__(self, gateway: Gateway, org_id: str):
        self._gateway = gateway
        self.id = org_id
        self.key_id, self.key = self.new_key()

    def new_key(self, **more) -> tuple[str, str]:
        made = self._gateway.operator("POST", f"/orgs/{self.id}/keys", {"name": "test", **more})
        return made["id"], made["key"]

    def revoke(self, key_id: str):
        self._gateway.operator("DELETE", f"/orgs/{self.id}/keys/{key_id}")

    def limits(self, kind: str) -> dict:
        """The one pool's limit of this kind."""
        views = self._gateway.operator("GET", f"/orgs/{self.id}/limits")["data"]
        return next(view for view in views if view["kind"] == kind)

    def totals(self, until) -> dict:
        """Usage totals as soon as `until` accepts them, within the second that the contract gives."""
        deadline = time.monotonic() + 1.0
        while True:
            totals = self._gateway.operator("GET", f"/orgs/{self.id}/usage")["totals"]
            if until(totals):
                return totals
            assert time.monotonic() < deadline, f"usage after a second: {totals}"


def call(method: str, url: str, key: str, body=None):
    """One request: status and JSON. An error status fails with what was said."""
    headers = {"authorization": f"Bearer {key}"}
    data = None
    if body is not None:
        headers["content-type"] = "application/json"
        data = json.dumps(body).encode()
    try:
        answer = urllib.request.urlopen(urllib.request.Request(url, data, headers, method=method), timeout=120)
    except urllib.error.HTTPError as error:
        raise AssertionError(f"{method} {url} was answered with {error.code}: {error.read().decode()}") from error
    with answer:
        text = answer.read()
        return answer.status, json.loads(text) if text else None


def events(url: str, key: str, body):
    """The `data:` of each server-sent event, as it comes. Ends where the stream ends."""
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers, method="POST")
    with urllib.request.urlopen(request, timeout=120) as answer:
        for line in answer:
            if line.startswith(b"data:"):
                yield line[5:].strip().decode()
