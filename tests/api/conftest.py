"""The gateway that Schemathesis calls."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from gateway_process import Gateway

CONFIG = """
[signup]
mode = "open"

[billing]
provider = "test"

[[providers]]
name = "demo"
kind = "demo"
"""


@pytest.fixture
def gateway():
    gateway = Gateway(CONFIG)
    yield gateway
    assert gateway.stop() == 0
