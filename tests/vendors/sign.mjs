// Signs as vendors' own SDKs for Node do. Reads one JSON object a line: {provider, secret, id, time, body, url};
// answers each with one line: the headers, or for a `…-verify` provider {"verified": true} or {"error": …}.
import { createInterface } from "node:readline";
import "@shopify/shopify-api/adapters/node";
import { createSHA256HMAC } from "@shopify/shopify-api/runtime";
import { sign as signGithub } from "@octokit/webhooks-methods";
import { Webhook as StandardWebhook } from "standardwebhooks";
import Stripe from "stripe";
import { Webhook as SvixWebhook } from "svix";
import twilio from "twilio";
import XHub from "x-hub-signature";

const stripe = new Stripe("sk_test_signs_nothing");
const date = ({ time }) => new Date(time * 1000);

const providers = {
  stripe: ({ secret, time, body }) => ({
    "stripe-signature": stripe.webhooks.generateTestHeaderString({ payload: body, secret, timestamp: time }),
  }),
  "standard-webhooks": (asked) => ({
    "webhook-id": asked.id,
    "webhook-timestamp": String(asked.time),
    "webhook-signature": new StandardWebhook(asked.secret).sign(asked.id, date(asked), asked.body),
  }),
  "standard-webhooks-verify": ({ secret, body, headers }) => {
    new StandardWebhook(secret).verify(body, headers);
    return { verified: true };
  },
  svix: (asked) => ({
    "svix-id": asked.id,
    "svix-timestamp": String(asked.time),
    "svix-signature": new SvixWebhook(asked.secret).sign(asked.id, date(asked), asked.body),
  }),
  github: async ({ secret, id, body }) => ({
    "x-github-event": "push",
    "x-github-delivery": id,
    "x-hub-signature-256": await signGithub(secret, body),
  }),
  shopify: async ({ secret, id, body }) => ({
    "x-shopify-topic": "orders/create",
    "x-shopify-webhook-id": id,
    "x-shopify-event-id": id,
    "x-shopify-hmac-sha256": await createSHA256HMAC(secret, body),
  }),
  twilio: ({ secret, url, body }) => ({
    "content-type": "application/x-www-form-urlencoded",
    "x-twilio-signature": twilio.getExpectedTwilioSignature(secret, url, Object.fromEntries(new URLSearchParams(body))),
  }),
  intercom: ({ secret, body }) => ({ "x-hub-signature": new XHub("sha1", secret).sign(Buffer.from(body)) }),
};

for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line);
  let answer;
  try {
    answer = await providers[asked.provider](asked);
  } catch (error) {
    answer = { error: String(error) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
