"""The model server as a process of its own, and what it counts."""

import re
import subprocess
import sys
import urllib.request
from pathlib import Path


class ModelServer:
    """The server as a process of its own, so that it can be killed."""

    def __init__(self):
        serve = Path(__file__).with_name("serve.py")
        self._process = subprocess.Popen(
            [sys.executable, str(serve)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        line = self._process.stdout.readline()
        assert line.startswith("listening "), f"the model server did not start: {line!r}"
        self.url = line.split()[1]

    def counters(self) -> dict:
        """What the server itself has counted: input tokens (cached or not) and output tokens."""
        with urllib.request.urlopen(self.url + "/metrics", timeout=60) as answer:
            found = dict(re.findall(r"^llamacpp:(\w+_total) (\d+)$", answer.read().decode(), re.MULTILINE))
        return {
            "input": int(found["prompt_tokens_total"]) + int(found["prompt_tokens_cached_total"]),
            "output": int(found["tokens_predicted_total"]),
        }

    def kill(self):
        self._process.kill()
        self._process.wait()
