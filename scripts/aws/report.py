"""Reads `go test -json`: shows what failed in full, what was skipped with its
reason, and a line for each package. Other lines pass through.

--show PREFIX: lines of passed tests that begin so (after the place) are shown.
"""

import json
import re
import sys

shown = sys.argv[2] if sys.argv[1:2] == ["--show"] else None
output = {}
for line in sys.stdin:
    try:
        event = json.loads(line)
    except ValueError:
        sys.stdout.write(line)
        continue
    key, action = (event.get("Package") or event.get("ImportPath"), event.get("Test")), event["Action"]
    if action in ("output", "build-output"):
        output.setdefault(key, []).append(event["Output"])
        continue
    said = [re.sub(r"^\s+\w+\.go:\d+: ", "", o.rstrip()) for o in output.get(key, []) if re.match(r"\s+\w+\.go:\d+: ", o)]
    if action in ("fail", "build-fail"):
        sys.stdout.write("".join(output.get(key, [])))
    elif action == "skip":
        print("skipped", key[1] or key[0], *said[-1:])
    elif action == "pass" and not key[1]:
        sys.stdout.write(output[key][-1])
    elif action == "pass" and shown:
        for text in said:
            if text.startswith(shown):
                print(f"{key[1]}: {text[len(shown):]}")
    sys.stdout.flush()
