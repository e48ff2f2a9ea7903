"""The control API does what its OpenAPI document says, whatever is sent: no 5xx, no status, media type or body that isn't documented.

Schemathesis makes the requests from the document and from a fixed seed.
"""

import os
import subprocess
import sys
from pathlib import Path

from gateway_process import OPERATOR_TOKEN

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
EXAMPLES = os.environ.get("TIDEGATE_API_EXAMPLES", "12")


def schemathesis(gateway, folder, *more):
    command = [
        str(Path(sys.executable).with_name("schemathesis")), "run", f"{gateway.url}/api/v1/openapi.json", "--no-color",
        "--phases", "examples,coverage,fuzzing", "--max-examples", EXAMPLES, "--seed", "20260205", "--generation-deterministic",
        "--generation-database", "none", "--checks", CHECKS, "--request-timeout", "30", "--max-failures", "20",
        # It would call whatever address was made up for a provider.
        "--exclude-operation-id", "test_provider", *more,
    ]
    environment = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "TMPDIR", "PYTHONDONTWRITEBYTECODE")}
    ended = subprocess.run(command, capture_output=True, text=True, timeout=240, env=environment, cwd=folder)
    assert ended.returncode == 0, ended.stdout[-20_000:] + ended.stderr[-2_000:] + gateway.printed()[-4_000:]
    return ended.stdout


def test_operators_are_answered_as_the_document_says(gateway, tmp_path):
    said = schemathesis(gateway, tmp_path, "--header", f"Authorization: Bearer {OPERATOR_TOKEN}")
    assert "No issues found" in said, said
    assert gateway.operator("GET", "/orgs")["data"], "it still serves, and something was made"


def test_nobody_is_answered_as_the_document_says(gateway, tmp_path):
    said = schemathesis(gateway, tmp_path)
    assert "No issues found" in said, said
