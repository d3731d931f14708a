import hmac
import hashlib
import json

# 1. Get webhook secret from FaithTracker
#    (Settings → API Sync → Active Sync Configuration → Webhook Secret)
webhook_secret = "YOUR_WEBHOOK_SECRET_FROM_FAITHTRACKER"

# 2. Prepare payload
payload = {
    "event_type": "member.updated",
    "church_id": "3880a17d-f858-4622-87c2-96eaa7b25c83",
    "member_id": "8655d76b-9be0-4681-bd2c-35cd5e09a809",
    "timestamp": "2025-11-20T01:40:00Z"
}

# 3. Convert to JSON bytes (NO extra spaces!)
payload_json = json.dumps(payload, separators=(',', ':'))
payload_bytes = payload_json.encode('utf-8')

# 4. Calculate HMAC-SHA256 signature
signature = hmac.new(
    webhook_secret.encode('utf-8'),
    payload_bytes,
    hashlib.sha256
).hexdigest()

# 5. Send webhook
import requests
response = requests.post(
    "https://your-faithtracker-domain.com/api/sync/webhook",
    data=payload_json,  # Send as raw JSON string
    headers={
        "Content-Type": "application/json",
        "X-Webhook-Signature": signature  # Just hex hash, no prefix
    }
)

print(response.status_code, response.json())
