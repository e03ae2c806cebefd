"""Makes calls that are told on standard input, a JSON object a line, and writes an outcome for each."""

import json
import sys
import time


class Outcome:
    """What came of a call. The fields are those of `Outcome` in client.ts."""

    def __init__(self):
        self.fields = {"seen": [], "pieces": [], "arrivedMs": []}

    def add(self, seen, piece=None):
        self.fields["seen"].append(seen)
        if piece:
            self.fields["pieces"].append(piece)
            self.fields["arrivedMs"].append(time.monotonic() * 1000)

    def tokens(self, usage):
        if usage:
            self.fields["totalTokens"] = usage["total_tokens"]


def serve(operations, explain):
    """`operations` by their names take a call and an outcome; `explain` makes a failure of what they raise."""
    print("ready", flush=True)
    for line in sys.stdin:
        call = json.loads(line)
        outcome = Outcome()
        try:
            operations[call["operation"]](call, outcome)
        except Exception as error:
            outcome.fields["failure"] = explain(error)
        print(json.dumps(outcome.fields), flush=True)


def text_headers(headers):
    return {name.lower(): str(value) for name, value in (headers or {}).items()}
