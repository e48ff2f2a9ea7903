"""The control API does what its OpenAPI document says, whatever is sent: no 5xx, no status, media type or body that isn't documented.

Schemathesis makes the requests from the document, the same at every run.
"""

import os
import subprocess
import sys
from pathlib import Path

from gateway_process import OPERATOR_TOKEN

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
EXAMPLES = os.environ.get("TIDEGATE_API_EXAMPLES", "5")


CONFIG = """
[[operations]]
include-path-regex = "^/api/v1/orgs/\\\\{id"
parameters = { "path.id" = "%s" }

[[operations]]
include-path-regex = "^/api/v1/providers/\\\\{name"
parameters = { "path.name" = "demo" }
"""


def schemathesis(gateway, folder, *more):
    """Runs it with paths that lead to something, so that it comes past them."""
    org = gateway.operator("POST", "/orgs", {"name": "Tests", "plan": "starter"})["id"]
    (folder / "schemathesis.toml").write_text(CONFIG % org)
    command = [
        str(Path(sys.executable).with_name("schemathesis")), "run", f"{gateway.url}/api/v1/openapi.json", "--no-color",
        "--phases", "examples,coverage,fuzzing", "--max-examples", EXAMPLES, "--generation-deterministic",
        "--checks", CHECKS, "--request-timeout", "30", "--max-failures", "20", "--warnings", "off",
        # The one would call whatever address was made up for a provider, the others end what the rest needs.
        "--exclude-operation-id", "test_provider", "--exclude-operation-id", "delete_org", "--exclude-operation-id", "delete_provider", *more,
    ]
    environment = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "TMPDIR", "PYTHONDONTWRITEBYTECODE")}
    ended = subprocess.run(command, capture_output=True, text=True, timeout=600, env=environment, cwd=folder)
    assert ended.returncode == 0, ended.stdout[-20_000:] + ended.stderr[-2_000:] + gateway.printed()[-4_000:]
    assert gateway.operator("GET", f"/orgs/{org}")["id"] == org, "it still serves"


def test_operators_are_answered_as_the_document_says(gateway, tmp_path):
    schemathesis(gateway, tmp_path, "--header", f"Authorization: Bearer {OPERATOR_TOKEN}")


def test_nobody_is_answered_as_the_document_says(gateway, tmp_path):
    schemathesis(gateway, tmp_path, "--include-tag", "accounts")
