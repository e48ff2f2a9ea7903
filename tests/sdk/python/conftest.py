"""One gateway for all tests of the SDKs; each test has organisations of its own."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from breaking_provider import BreakingProvider
from gateway_process import Gateway

CONFIG = """
[limits]
micro_wait_ms = 0

[[providers]]
name = "demo"
kind = "demo"

[[providers]]
name = "breaking"
kind = "openai"
base_url = "{breaking}/v1"
api_key = "unused"

[[models]]
id = "acme/small"
aliases = ["tiny"]
category = "small"
targets = [{{ provider = "demo" }}]

[[models]]
id = "acme/large"
category = "large"
targets = [{{ provider = "demo" }}]

[[models]]
id = "acme/breaking"
category = "small"
targets = [{{ provider = "breaking" }}]

[[plans]]
id = "tests"
limits = [{{ category = "small", rpm = 1000, tpm = 100000 }}]

[[plans]]
id = "everything"
limits = [{{ any = true, rpm = 1000 }}]
"""


@pytest.fixture(scope="session")
def gateway():
    breaking = BreakingProvider()
    gateway = Gateway(CONFIG.format(breaking=breaking.url))
    yield gateway
    assert gateway.stop() == 0
    breaking.stop()


@pytest.fixture
def org(gateway):
    return gateway.org("tests")


@pytest.fixture
def one_in_three_seconds(gateway):
    """An organisation whose second request within three seconds is refused: Retry-After is 1 to 3."""
    return gateway.org("tests", [{"category": "small", "rpm": 1, "window_seconds": 3}])
