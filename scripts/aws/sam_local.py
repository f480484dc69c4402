"""Invokes the functions with `sam local invoke`, and checks answers and effects.

sam_local.py BUILT ENDPOINT ENDPOINT-IN-A-CONTAINER ARCHITECTURE
"""

import gzip
import hashlib
import hmac
import json
import pathlib
import secrets
import subprocess
import sys
import time
import urllib.parse

import boto3
import yaml

built, endpoint, inside, architecture = pathlib.Path(sys.argv[1]), *sys.argv[2:]
samples = pathlib.Path("events/_lambda")
name = "responder"


def client(service):
    return boto3.client(service, endpoint_url=endpoint)


def make_queue(suffix):
    return client("sqs").create_queue(QueueName=f"{name}-{suffix}")["QueueUrl"]


def make_table(logical_id):
    """Makes a table as the template describes it."""
    properties = template["Resources"][logical_id]["Properties"]
    wanted = ("BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")
    client("dynamodb").create_table(TableName=logical_id, **{key: properties[key] for key in wanted if key in properties})
    return logical_id


def within(url):
    """A queue's URL as a container reaches it."""
    return inside + "/" + url.split("/", 3)[3]


def queued(url):
    """Takes all messages off a queue."""
    bodies = []
    while True:
        messages = client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        if not messages:
            return bodies
        bodies += [json.loads(message["Body"]) for message in messages]


def invoke(function, event):
    """What a function answers."""
    command = ["sam", "local", "invoke", function, "--template", str(local), "--event", "-", "--skip-pull-image", "--no-memory-limit"]
    if inside.startswith("http://host.docker.internal"):
        command += ["--add-host", "host.docker.internal:host-gateway"]
    done = subprocess.run(command, input=json.dumps(event), capture_output=True, text=True)
    lines = [line for line in done.stdout.splitlines() if line.strip()]
    try:
        if done.returncode == 0:
            return json.loads(lines[-1])
    except (ValueError, IndexError):
        pass
    sys.exit(f"{function}: sam local invoke ends with {done.returncode}\n{done.stdout}\n{done.stderr}")


def check(what, got, want):
    if got != want:
        sys.exit(f"{what}: {got!r}, want {want!r}")
    print(f"{what}: {json.dumps(got)}", flush=True)


# The SAM CLI gives a container the variables of the template alone: they are
# said there, in a copy, with what the emulator has in place of the resources.
template = yaml.safe_load((built / "template.yaml").read_text())
urls = {suffix: make_queue(suffix) for suffix in ("events", "events-dead", "findings", "findings-dead")}
key = secrets.token_urlsafe(32)
variables = {
    "AWS_ENDPOINT_URL": inside,
    "EVENTS_QUEUE_URL": within(urls["events"]),
    "EVENTS_DEAD_URL": within(urls["events-dead"]),
    "FINDINGS_QUEUE_URL": within(urls["findings"]),
    "FINDINGS_DEAD_URL": within(urls["findings-dead"]),
    "RUNS_TABLE": make_table("RunsTable"),
    "COUNTERS_TABLE": make_table("CountersTable"),
    "API_KEY_SECRET": client("secretsmanager").create_secret(Name=f"{name}-api-key", SecretString=key)["ARN"],
    "SECRETS_PREFIX": f"{name}/",
    "OWN_ROLES": "arn:aws:iam::111122223333:role/responder",
    "SLACK_SIGNING_SECRET": f"{name}/slack-signing",
    "CANARY_RULE": f"{name}-canary",
    "STACK_NAME": name,
    "LOG_LEVEL": "info",
}
# What nothing here needs, or the template sets only if its parameters say so.
unset = {"SLACK_WEBHOOK_URL", "EMAIL_TOPIC_ARN", "ALLOW_PRIVATE_HOSTS", "MEMBER_ROLE", "MEMBER_ACCOUNTS", "MEMBER_EXTERNAL_ID"}
for logical_id, resource in template["Resources"].items():
    if resource["Type"] != "AWS::Serverless::Function":
        continue
    properties = resource["Properties"]
    properties["Architectures"] = [architecture]
    properties["CodeUri"] = str(built / logical_id)
    given = properties.setdefault("Environment", {}).setdefault("Variables", {})
    for variable in set(given) - set(variables) - unset:
        sys.exit(f"{logical_id} has a variable {variable}: what is it here?")
    properties["Environment"]["Variables"] = variables
template.get("Globals", {}).get("Function", {}).pop("Environment", None)
# A flow that asks, and does nothing else.
(built / "DispatchFunction" / "flows.local.yml").write_text("""
approvers: {iam: ["arn:aws:iam::111122223333:role/Oncall"]}
flows:
  - name: Asked
    rule: NonCompliantUserCreated
    sequential: [approve: {text: "{{ resources[0] }}?"}, wait: 1h]
""")
local = built / "local.yaml"
local.write_text(yaml.safe_dump(template))

request = json.loads((samples / "ingest.json").read_text())
check("ingest.json, with a wrong key", invoke("IngestFunction", request)["statusCode"], 401)
for headers in (request["headers"], request["multiValueHeaders"]):
    headers["X-Api-Key"] = [key] if isinstance(headers["X-Api-Key"], list) else key
answer = invoke("IngestFunction", request)
check("ingest.json, with the key", answer["statusCode"], 202)
check("ingest.json: the events queued", [event["id"] for event in queued(urls["events"])], json.loads(answer["body"])["ids"])

check("detect.json", invoke("DetectFunction", json.loads((samples / "detect.json").read_text())), {"batchItemFailures": []})
found = sorted(bell["finding"]["rule"] for bell in queued(urls["findings"]))
check("detect.json: the findings queued", found, ["NonCompliantUserCreated", "RootLogin", "SuspiciousLoginIP"])

check("dispatch.json", invoke("DispatchFunction", json.loads((samples / "dispatch.json").read_text())), {"batchItemFailures": []})
runs = client("dynamodb").scan(TableName="RunsTable")["Items"]
check("dispatch.json: the runs", sorted(run["flow"]["S"] for run in runs), ["Asked", "NonCompliantUserCreated"])


def asked():
    """The run that asks, as it is stored."""
    run = next(run for run in client("dynamodb").scan(TableName="RunsTable", ConsistentRead=True)["Items"] if run["flow"]["S"] == "Asked")
    return json.loads(gzip.decompress(run["payload"]["B"]))


run = asked()
question = run["steps"]["0"]["approval"]
decision = json.loads((samples / "approve.json").read_text())


def decide(id, caller, digest=question["digest"], **changed):
    """What the function answers to somebody whom AWS has authenticated."""
    identity = {**decision["requestContext"]["identity"], "userArn": caller}
    body = json.dumps({"step": "0", "digest": digest})
    return invoke("ApproveFunction", {**decision, "pathParameters": {"id": id}, "requestContext": {**decision["requestContext"], "identity": identity}, "body": body, **changed})


def click(signing):
    """What it answers to what somebody posts in Slack's name."""
    body = urllib.parse.urlencode({"payload": json.dumps({"type": "block_actions", "user": {"id": "U0CAROL"}, "actions": [{"action_id": "approve", "value": f"{run['id']} 0 {question['digest']}"}]})})
    now = str(int(time.time()))
    mac = hmac.new(signing.encode(), f"v0:{now}:{body}".encode(), hashlib.sha256).hexdigest()
    headers = {"X-Slack-Request-Timestamp": [now], "X-Slack-Signature": ["v0=" + mac]}
    return invoke("ApproveFunction", {**decision, "resource": "/slack/interactions", "pathParameters": None, "multiValueHeaders": headers, "body": body})


oncall = "arn:aws:sts::111122223333:assumed-role/Oncall/ann"
signing = secrets.token_hex(16)
client("secretsmanager").create_secret(Name=variables["SLACK_SIGNING_SECRET"], SecretString=signing)
check("approve.json, of no run", invoke("ApproveFunction", decision)["statusCode"], 404)
check("approve.json, by GET", decide(run["id"], oncall, httpMethod="GET")["statusCode"], 405)
check("approve.json, of nobody", decide(run["id"], None)["statusCode"], 403)
check("approve.json, of somebody who is not asked", decide(run["id"], "arn:aws:iam::111122223333:user/dave")["statusCode"], 409)
check("approve.json, of another question", decide(run["id"], oncall, digest="0" * 64)["statusCode"], 409)
check("a click that Slack has not signed", click("another secret")["statusCode"], 401)
check("a click of somebody who is not asked", click(signing)["statusCode"], 200)
check("the question", asked()["steps"]["0"]["approval"].get("decision"), None)
answer = decide(run["id"], oncall)
check("approve.json", (answer["statusCode"], json.loads(answer["body"])["decision"]), (200, "approved"))
check("the question, decided", asked()["steps"]["0"]["approval"]["who"], {"kind": "iam", "id": oncall})
check("approve.json: the bells rung", [bell["wake"] for bell in queued(urls["findings"]) if bell.get("wake") == run["id"]], [run["id"]])

time.sleep(10)  # the wait of the other flow is over then
check("sweep.json", invoke("DispatchFunction", json.loads((samples / "sweep.json").read_text())), {"rung": 2})
