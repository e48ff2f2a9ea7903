"""localstripe as a process of its own, and what a customer and a developer would do there."""

import json
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

SECRET_KEY = "sk_test_of_the_tests"
WEBHOOK_SECRET = "whsec_of_the_tests"


class LocalStripe:
    def __init__(self):
        serve = Path(__file__).with_name("serve.py")
        self._process = subprocess.Popen(
            [sys.executable, "-u", str(serve)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        line = self._process.stdout.readline()
        assert line.startswith("listening "), f"localstripe did not start: {line!r}"
        self.url = line.split()[1]
        self._lines: list[str] = []
        self._more = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self._process.stdout:
            with self._more:
                self._lines.append(line)
                self._more.notify_all()

    def stop(self):
        self._process.terminate()
        self._process.wait()

    def said(self, text: str, times: int = 1):
        """Waits until it has said a text so often."""
        deadline = time.monotonic() + 30
        with self._more:
            while sum(text in line for line in self._lines) < times:
                assert self._more.wait(deadline - time.monotonic()), f"not {times} times {text!r} in {self._lines}"

    def forget_lines(self):
        with self._more:
            self._lines.clear()

    def call(self, method: str, path: str, **form):
        """One call of its API, as the developer's own scripts would make it."""
        data = urllib.parse.urlencode(form).encode() if method == "POST" else None
        request = urllib.request.Request(self.url + path, data, {"authorization": f"Bearer {SECRET_KEY}"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                text = answer.read()
                return json.loads(text) if text else None
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.code} {error.read().decode()}") from error

    def tells(self, name: str, url: str, secret: str = WEBHOOK_SECRET):
        """From now on it tells its events there."""
        self.call("POST", f"/_config/webhooks/{name}", url=url, secret=secret)

    def customer_of(self, org: str) -> str:
        found = [c["id"] for c in self.call("GET", "/v1/customers")["data"] if c["metadata"].get("tidegate_org") == org]
        assert len(found) == 1, found
        return found[0]

    def give_card(self, customer: str, number: str) -> str:
        """The customer gives a card, as they would in the portal."""
        card = {"card[number]": number, "card[exp_month]": "12", "card[exp_year]": "2040", "card[cvc]": "123"}
        made = self.call("POST", "/v1/payment_methods", type="card", **card)["id"]
        self.call("POST", f"/v1/payment_methods/{made}/attach", customer=customer)
        self.call("POST", f"/v1/customers/{customer}", **{"invoice_settings[default_payment_method]": made})
        return made

    def charges(self, customer: str) -> list[tuple[int, str, str]]:
        """Amount, currency and status of each charge, oldest first."""
        found = self.call("GET", f"/v1/charges?customer={customer}&limit=100")["data"]
        return [(c["amount"], c["currency"], c["status"]) for c in sorted(found, key=lambda c: c["created"])]
