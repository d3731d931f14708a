"""Signs as vendors' own SDKs for Python do. Reads one JSON object a line: {provider, secret, id, time, body, url};
answers each with one line: the headers, or for a `…-verify` provider {"verified": true} or {"error": …}."""

import json
import sys
from datetime import datetime, timezone
from urllib.parse import parse_qsl

from slack_sdk.signature import SignatureVerifier
from standardwebhooks.webhooks import Webhook
from stripe import WebhookSignature
from twilio.request_validator import RequestValidator


def slack(asked):
    signature = SignatureVerifier(asked["secret"]).generate_signature(timestamp=str(asked["time"]), body=asked["body"])
    return {"x-slack-request-timestamp": str(asked["time"]), "x-slack-signature": signature}


def standard_webhooks(asked):
    at = datetime.fromtimestamp(asked["time"], timezone.utc)
    return {
        "webhook-id": asked["id"],
        "webhook-timestamp": str(asked["time"]),
        "webhook-signature": Webhook(asked["secret"]).sign(asked["id"], at, asked["body"]),
    }


def standard_webhooks_verify(asked):
    Webhook(asked["secret"]).verify(asked["body"], asked["headers"])
    return {"verified": True}


def stripe(asked):
    signature = WebhookSignature._compute_signature(f"{asked['time']}.{asked['body']}", asked["secret"])
    return {"stripe-signature": f"t={asked['time']},v1={signature}"}


def twilio(asked):
    params = dict(parse_qsl(asked["body"], keep_blank_values=True))
    return {
        "content-type": "application/x-www-form-urlencoded",
        "x-twilio-signature": RequestValidator(asked["secret"]).compute_signature(asked["url"], params),
    }


PROVIDERS = {
    "slack": slack,
    "standard-webhooks": standard_webhooks,
    "standard-webhooks-verify": standard_webhooks_verify,
    "stripe": stripe,
    "twilio": twilio,
}

for line in sys.stdin:
    asked = json.loads(line)
    try:
        answer = PROVIDERS[asked["provider"]](asked)
    except Exception as error:
        answer = {"error": repr(error)}
    print(json.dumps(answer), flush=True)
