"""What clients of the OpenAI SDK make of a refusal: 200 of them ask twice what a limit admits in a window.

    python -m venv .venv && .venv/bin/pip install -r tests/sdk/python/requirements.txt
    TIDEGATE_BIN=… MOCK_BIN=… .venv/bin/python benches/backoff/backoff.py [--rounds 5] [--only REGEX] [--out runs.jsonl]

Compares the gateway's answers (the exact moment) with a constant Retry-After, and prints a table in Markdown. A round runs each case once.
"""

import argparse
import asyncio
import json
import os
import random
import re
import socket
import statistics
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

from clients import Crowd, ask_all
from gateway_process import Gateway

CLIENTS = 200
MODEL = "acme/small"
ENDLESS = 1_000
CONFIG = """
[limits]
window_seconds = {window}
micro_wait_ms = {micro_wait}
{setting}

[[providers]]
name = "mock"
kind = "openai"
base_url = "http://{mock}/v1"
api_key = "unused"

[[models]]
id = "acme/small"
category = "small"
targets = [{{ provider = "mock" }}]

[[plans]]
id = "backoff"
limits = [{{ category = "small", rpm = {half} }}]
"""


def cases(window: int, setting: str | None):
    """Name of the crowd, name of the answers, micro-wait of the gateway, setting of the gateway, crowd."""
    answers = [("exact time", micro, "", {}) for micro in (0, 250)]
    if setting:
        answers += [(setting, micro, setting, {}) for micro in (0, 250)]
    told = answers + [(f"constant {seconds} s", 0, "", {"constant_retry_after": seconds}) for seconds in (1, window)]
    told.append((f"exact time, clients ask `Prefer: wait={window}`", 250, "", {"headers": {"Prefer": f"wait={window}"}}))
    evenly, then_at_once = {"over_seconds": float(window)}, {"over_seconds": 2.0 * window, "rest_at_seconds": 0.95 * window}
    half_leave, few = {"half_leave": True, "max_retries": ENDLESS}, CLIENTS // 4
    # Crowds for which only the exact time's variants are compared.
    ours = len(answers)
    crowds = [
        ("at once, 2 retries", told, CLIENTS, {"over_seconds": 0.0}),
        ("over one window, 2 retries", told, CLIENTS, evenly),
        ("over one window, 10 retries", told, CLIENTS, {**evenly, "max_retries": 10}),
        ("half over one window, then half at once, 2 retries", told, CLIENTS, then_at_once),
        ("over one window, 10 retries, half never return", told[:ours], CLIENTS, {**evenly, "half_leave": True, "max_retries": 10}),
        ("half over one window, then half at once, half never return, the others never give up", told[:ours], CLIENTS, {**then_at_once, **half_leave}),
        ("50 over one window, 2 retries, beside one that asks again every 50 ms", told[:ours], few, {**evenly, "deaf_every_ms": 50}),
    ]
    for crowd_name, told, clients, shape in crowds:
        for name, micro, line, more in told:
            yield crowd_name, name, micro, line, Crowd(clients, **shape, **more)


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--window", type=int, default=20, help="seconds; a minute's window, shortened")
    options.add_argument("--only", default="", help="only crowds whose name this regular expression finds")
    options.add_argument("--setting", help="a further line of [limits], compared with the gateway without it")
    options.add_argument("--out", help="appends each run's figures as a line of JSON")
    options.add_argument("--table", action="store_true", help="runs nothing: the table of what is in --out")
    options = options.parse_args()
    chosen = [case for case in cases(options.window, options.setting) if re.search(options.only, case[0])]
    runs = {case[:3]: [] for case in chosen}
    if options.table:
        for run in map(json.loads, open(options.out)):
            runs[run["crowd"], run["answers"], run["micro_wait_ms"]].append(run)
        return print(table(runs))
    with closing(Mock()) as mock, Gateways(mock.address, options.window) as gateways:
        for round_number in range(options.rounds):
            # In another order each time, so that rounds may also run beside each other without asking at the same moments.
            for crowd_name, answers, micro, line, crowd in random.sample(chosen, len(chosen)):
                gateway = gateways.get(micro, line)
                askings, seconds = asyncio.run(ask_all(gateway.base_url, gateway.org("backoff").key, MODEL, crowd))
                run = figures(askings, seconds)
                runs[crowd_name, answers, micro].append(run)
                said = {"crowd": crowd_name, "answers": answers, "micro_wait_ms": micro, "round": round_number, **run}
                print(json.dumps(said), file=sys.stderr, flush=True)
                if options.out:
                    with open(options.out, "a") as out:
                        out.write(json.dumps(said) + "\n")
    print(table(runs))


def figures(askings, seconds: float) -> dict:
    """One run's figures. Clients that never return count nowhere but in what they do to others."""
    staying = [asking for asking in askings if asking.comes_back]
    answered = [asking for asking in staying if asking.answered]
    waits = [asking.waited for asking in answered]
    return {
        "answered": len(answered),
        "gave_up": len(staying) - len(answered),
        "refusals_per_answer": sum(asking.refusals for asking in staying) / max(len(answered), 1),
        "most_refusals": max(asking.refusals for asking in staying),
        "total_s": seconds,
        "mean_wait_s": statistics.fmean(waits),
        "longest_wait_s": max(waits),
    }


def table(runs: dict) -> str:
    columns = [
        ("429s per answered request", "refusals_per_answer", 2),
        ("most 429s of one client", "most_refusals", 0),
        ("gave up", "gave_up", 0),
        ("total time, s", "total_s", 1),
        ("mean wait, s", "mean_wait_s", 2),
        ("longest wait of an answered client, s", "longest_wait_s", 1),
    ]
    lines, crowd_before = [], None
    for (crowd, answers, micro), of_case in runs.items():
        if crowd != crowd_before:
            lines += ["", f"### {crowd}", "", "| answers | micro-wait | " + " | ".join(name for name, _, _ in columns) + " |"]
            lines.append("|---|---:|" + "---:|" * len(columns))
            crowd_before = crowd
        cells = (spread([run[key] for run in of_case], digits) for _, key, digits in columns)
        lines.append(f"| {answers} | {micro} ms | " + " | ".join(cells) + " |")
    return "\n".join(lines[1:])


def spread(values: list, digits: int) -> str:
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f}..{max(values):.{digits}f})"


class Mock:
    """The mock provider of this folder's workspace, on a free port."""

    def __init__(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{taken.getsockname()[1]}"
        self._process = subprocess.Popen([os.environ["MOCK_BIN"]], env={"MOCK_ADDR": self.address})
        deadline = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(self.address.split(":"), 1).close()
                return
            except OSError:
                if time.monotonic() > deadline:
                    self.close()
                    raise
                time.sleep(0.02)

    def close(self):
        self._process.terminate()
        self._process.wait()


class Gateways:
    """One gateway for each configuration, started when it is first asked for."""

    def __init__(self, mock: str, window: int):
        self._mock, self._window, self._running = mock, window, {}

    def get(self, micro_wait: int, setting: str) -> Gateway:
        if (micro_wait, setting) not in self._running:
            config = CONFIG.format(mock=self._mock, window=self._window, micro_wait=micro_wait, setting=setting, half=CLIENTS // 2)
            gateway = self._running[micro_wait, setting] = Gateway(config)
            # The first answers of a process are slow on both sides.
            asyncio.run(ask_all(gateway.base_url, gateway.org("backoff").key, MODEL, Crowd(CLIENTS // 2, 0.0, 0)))
        return self._running[micro_wait, setting]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for gateway in self._running.values():
            gateway.stop()


if __name__ == "__main__":
    main()
