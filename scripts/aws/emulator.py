"""Runs ministack, answering as AWS does where the emulator is known not to.

With AUTH=true ministack evaluates the policies of roles and queues as AWS
would, so that a permission missing from the template fails the tests. These
are the places where it differs; each says what AWS does. What is mended has
to be there: a newer ministack that lacks it ends this with an error.
"""

import functools
import json
import re
import string
import sys

from ministack import app
from ministack.core import iam_actions, iam_evaluator
from ministack.services import dynamodb, iam, secretsmanager
from ministack.services.cloudformation import changesets, engine, handlers, provisioners, stacks


def mend(module, name):
    """Replaces a function by the decorated one, which is handed the old one first."""
    old = getattr(module, name)

    def replace(new):
        setattr(module, name, functools.wraps(old)(functools.partial(new, old)))
        return new

    return replace


# A batch of messages needs the permission for one: sqs:SendMessageBatch is no
# IAM action. (Service Authorization Reference, Amazon SQS)
@mend(iam_actions, "extract_iam_action")
def single_action(old, *args, **kwargs):
    action = old(*args, **kwargs)
    if action and action.startswith("sqs:"):
        action = action.removesuffix("Batch")
    return action


# Who is taken out of a group, or put into one, is no matter: the group is what
# has to be allowed. (Service Authorization Reference, IAM)
@mend(iam_actions, "extract_resource_arn")
def group_arn(old, service, method, path, headers, body, query_params, region, account_id):
    if service == "iam" and query_params.get("Action") in (["AddUserToGroup"], ["RemoveUserFromGroup"]):
        return f"arn:aws:iam::{account_id}:group/{query_params.get('GroupName', ['*'])[0]}"
    return old(service, method, path, headers, body, query_params, region, account_id)


# For a session of a role aws:PrincipalArn is the role's ARN, for a service there
# is none; aws:PrincipalIsAWSService is there in every request, and the account of
# a role that is taken is aws:ResourceAccount. (IAM User Guide, global condition keys)
@mend(iam_evaluator, "_resolve_condition_key")
def condition_key(old, key, context):
    service = context.principal_type == "Service"
    if key.lower() == "aws:principalisawsservice":
        return str(service).lower()
    if key.lower() == "aws:resourceaccount":
        return iam_evaluator._account_from_arn(context.resource_arn)
    value = old(key, context)
    if key.lower() == "aws:principalarn":
        session = re.fullmatch(r"arn:(aws[a-z-]*):sts::(\d+):assumed-role/([^/]+)/.*", value)
        return None if service else session.expand(r"arn:\1:iam::\2:role/\3") if session else value
    return value


# Tables have policies, too; CloudFormation sets them.
iam_evaluator._RESOURCE_POLICY_LOOKUPS["dynamodb"] = ("dynamodb", "table_policy_for_arn")


def table_policy(arn):
    found = dynamodb._resource_policies.get(arn.split("/index/")[0])
    return found and (found["Policy"], iam_evaluator._account_from_arn(arn))


dynamodb.table_policy_for_arn = table_policy
table = provisioners._RESOURCE_HANDLERS["AWS::DynamoDB::Table"]


def with_policy(handler, properties_at):
    def handle(*args, **kwargs):
        physical_id, attributes = handler(*args, **kwargs)
        document = args[properties_at].get("ResourcePolicy", {}).get("PolicyDocument")
        if document:
            status, _, answer = dynamodb._put_resource_policy({"ResourceArn": attributes["Arn"], "Policy": json.dumps(document)})
            if status >= 400:
                raise ValueError(f"AWS::DynamoDB::Table ResourcePolicy failed: {answer!r}")
        return physical_id, attributes

    return handle


table["create"] = with_policy(table["create"], 1)  # logical id, properties, stack
table["update"] = with_policy(table["update"], 2)  # physical id, old and new properties, stack

# Ref of a secret is its ARN. (CloudFormation, AWS::SecretsManager::Secret)
secret = provisioners._RESOURCE_HANDLERS["AWS::SecretsManager::Secret"]


def secret_name(physical_id):
    return physical_id.split(":secret:")[-1].rsplit("-", 1)[0] if physical_id.startswith("arn:") else physical_id


def by_arn(handler):
    def handle(*args, **kwargs):
        _, attributes = handler(*args, **kwargs)
        return attributes["Arn"], attributes

    return handle


create, update, delete = secret["create"], secret["update"], secret["delete"]
secret["create"] = by_arn(create)
secret["update"] = by_arn(lambda physical_id, *args, **kwargs: update(secret_name(physical_id), *args, **kwargs))
secret["delete"] = lambda physical_id, properties: delete(secret_name(physical_id), properties)


# A secret is generated without punctuation where that is asked for: an API key that
# begins like JSON is none. (CloudFormation, GenerateSecretString)
@mend(provisioners, "_sm_secret_string")
def without_punctuation(old, properties):
    wanted = properties.get("GenerateSecretString") or {}
    if str(wanted.get("ExcludePunctuation", "")).lower() == "true":
        wanted = {**wanted, "ExcludeCharacters": wanted.get("ExcludeCharacters", "") + string.punctuation}
        properties = {**properties, "GenerateSecretString": wanted}
    return old(properties)


# Users have kinds of credentials that it does not know: nobody has one here. The
# permission to list them is asked for all the same.
def none_of(action, element):
    body = f"<{action}Result><{element}/><IsTruncated>false</IsTruncated></{action}Result>"
    return lambda parameters: iam._xml(200, f"{action}Response", body, ns="iam")


for action, element in (
    ("ListSigningCertificates", "Certificates"),
    ("ListSSHPublicKeys", "SSHPublicKeys"),
    ("ListServiceSpecificCredentials", "ServiceSpecificCredentials"),
):
    iam._IAM_HANDLERS.setdefault(action, none_of(action, element))


# Conditions may look into mappings. (CloudFormation, Fn::FindInMap)
def looked_up(node, mappings):
    if isinstance(node, dict):
        if "Fn::FindInMap" in node:
            name, first, second = node["Fn::FindInMap"]
            return mappings[name][first][second]
        return {key: looked_up(value, mappings) for key, value in node.items()}
    return [looked_up(value, mappings) for value in node] if isinstance(node, list) else node


def conditions(old, template, parameters):
    found = looked_up(template.get("Conditions", {}), template.get("Mappings", {}))
    return old({**template, "Conditions": found}, parameters)


evaluate_conditions = functools.partial(conditions, engine._evaluate_conditions)
for module in (changesets, engine, handlers, stacks):  # each has imported it by name
    assert module._evaluate_conditions
    module._evaluate_conditions = evaluate_conditions


# Secrets have policies, too.
def put_secret_policy(properties):
    policy = json.dumps(properties["ResourcePolicy"])
    status, _, answer = secretsmanager._put_resource_policy({"SecretId": properties["SecretId"], "ResourcePolicy": policy})
    if status >= 400:
        raise ValueError(f"AWS::SecretsManager::ResourcePolicy failed: {answer!r}")
    return properties["SecretId"], {"Id": properties["SecretId"]}


provisioners._RESOURCE_HANDLERS["AWS::SecretsManager::ResourcePolicy"] = {
    "create": lambda logical_id, properties, stack: put_secret_policy(properties),
    "update": lambda physical_id, old, new, stack: put_secret_policy(new),
    "delete": lambda physical_id, properties: secretsmanager._resource_policies.pop(physical_id, None),
}

# An API is reached by the name that its stack tells: requests are signed for it.
# (API Gateway Developer Guide, Invoke a REST API)
assert app._EXECUTE_API_RE.match("0123abcd.execute-api.localhost:4566")
app._EXECUTE_API_RE = re.compile(r"^([a-f0-9]{8})\.execute-api\.(?:[a-z0-9-]+\.amazonaws\.com|localhost)(?::\d+)?$")

if __name__ == "__main__":
    sys.exit(app.main())
