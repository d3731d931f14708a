"""Signs as vendors' own SDKs for Python do. Reads one JSON object a line: {provider, secret, id, time, body, url};
answers each with one line: the headers, or for a `…-verify` provider {"verified": true} or {"error": …}."""

import json
import sys
from datetime import datetime, timezone
from urllib.parse import parse_qsl

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm
from slack_sdk.signature import SignatureVerifier
from standardwebhooks.webhooks import Webhook
from stripe import WebhookSignature
from twilio.request_validator import RequestValidator


# A shop's key pair, for as long as this process lives.
SHOP = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def published_keys(_):
    key = {**json.loads(RSAAlgorithm.to_jwk(SHOP.public_key())), "use": "sig", "kid": "1"}
    return {"saleor": json.dumps({"keys": [key]})}


# With the library that Saleor signs with, asked for what Saleor asks of it.
def saleor(asked):
    signature = jwt.api_jws.encode(
        asked["body"].encode(), key=SHOP, algorithm="RS256", headers={"kid": "1"}, is_payload_detached=True
    )
    return {"saleor-event": "order_created", "saleor-signature": signature}


def saleor_verify(asked):
    key = jwt.PyJWKSet.from_json(asked["secret"]).keys[0]
    token, body = asked["headers"]["saleor-signature"], asked["body"].encode()
    jwt.api_jws.decode(token, key, algorithms=["RS256"], detached_payload=body)
    return {"verified": True}


def slack(asked):
    signature = SignatureVerifier(asked["secret"]).generate_signature(timestamp=str(asked["time"]), body=asked["body"])
    return {"x-slack-request-timestamp": str(asked["time"]), "x-slack-signature": signature}


def slack_verify(asked):
    headers = asked["headers"]
    signature, timestamp = headers["x-slack-signature"], headers["x-slack-request-timestamp"]
    return {"verified": SignatureVerifier(asked["secret"]).is_valid(asked["body"], timestamp, signature)}


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
    "published-keys": published_keys,
    "saleor": saleor,
    "saleor-verify": saleor_verify,
    "slack": slack,
    "slack-verify": slack_verify,
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
