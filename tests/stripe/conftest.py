"""One localstripe and one gateway that is paid through it."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from gateway_process import Gateway
from local_stripe import SECRET_KEY, WEBHOOK_SECRET, LocalStripe

CONFIG = """
[[providers]]
name = "demo"
kind = "demo"

[[models]]
id = "acme/large"
category = "large"
targets = [{{ provider = "demo" }}]

[billing]
provider = "stripe"

[billing.stripe]
secret_key = "{key}"
webhook_secret = "{secret}"
api_base = "{url}"
currency = "eur"

[[plans]]
id = "free"
price_month = "0"
limits = []

[[plans]]
id = "starter"
price_month = "20"
limits = [{{ category = "large", rpm = 45 }}]

[[plans]]
id = "growth"
price_month = "100"
limits = [{{ category = "large", rpm = 150 }}]
"""


@pytest.fixture
def stripe():
    stripe = LocalStripe()
    yield stripe
    stripe.stop()


@pytest.fixture
def gateway(stripe):
    gateway = Gateway(CONFIG.format(key=SECRET_KEY, secret=WEBHOOK_SECRET, url=stripe.url))
    yield gateway
    assert gateway.stop() == 0
    printed = gateway.printed()
    assert SECRET_KEY not in printed and WEBHOOK_SECRET not in printed
