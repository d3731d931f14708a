// Judges what our own signer made, as vendors' libraries judge what they receive. Reads one JSON object a line: {judge,
// secret, method, url, headers, body}; answers each with one line: {"valid": true} or {"valid": false, "why": …}.
import { createHash } from "node:crypto";
import { createInterface } from "node:readline";
import { WebhookVerificationService as tern } from "@hookflo/tern";
import adyen from "@adyen/api-library";
import { verify as verifyGithub } from "@octokit/webhooks-methods";
import { Paddle } from "@paddle/paddle-node-sdk";
import { isValidSignature as verifySanity } from "@sanity/webhook";
import { LinearWebhookClient } from "@linear/sdk/webhooks";
import sendgrid from "@sendgrid/eventwebhook";
import discord from "discord-interactions";
import { createLocalJWKSet, jwtVerify } from "jose";
import { Resend } from "resend";
import { Webhook as StandardWebhook } from "standardwebhooks";
import Stripe from "stripe";
import { Webhook as SvixWebhook } from "svix";
import twilio from "twilio";

const stripe = new Stripe("sk_test_calls_nobody");
const paddle = new Paddle("pdl_test_calls_nobody");
const resend = new Resend("re_calls_nobody");
const hmac = new adyen.hmacValidator();
const events = new sendgrid.EventWebhook();

// A library that throws says no, and one that returns has said yes unless it returned false.
const judges = {
  adyen: ({ secret, body }) => hmac.validateHMAC(JSON.parse(body).notificationItems[0].NotificationRequestItem, secret),
  discord: ({ secret, headers, body }) =>
    discord.verifyKey(body, headers["x-signature-ed25519"], headers["x-signature-timestamp"], secret),
  github: ({ secret, headers, body }) => verifyGithub(secret, body, headers["x-hub-signature-256"]),
  linear: ({ secret, headers, body }) =>
    new LinearWebhookClient(secret).verify(
      Buffer.from(body),
      headers["linear-signature"],
      JSON.parse(body).webhookTimestamp,
    ),
  paddle: ({ secret, headers, body }) => paddle.webhooks.isSignatureValid(body, secret, headers["paddle-signature"]),
  // As Plaid's guide does it.
  plaid: async ({ secret, headers, body }) => {
    const keys = createLocalJWKSet(JSON.parse(secret));
    const token = await jwtVerify(headers["plaid-verification"], keys, { algorithms: ["ES256"], maxTokenAge: "5 min" });
    return token.payload.request_body_sha256 === createHash("sha256").update(body).digest("hex");
  },
  resend: ({ secret, headers, body }) =>
    resend.webhooks.verify({
      payload: body,
      headers: {
        id: headers["svix-id"],
        timestamp: headers["svix-timestamp"],
        signature: headers["svix-signature"],
      },
      webhookSecret: secret,
    }),
  sanity: ({ secret, headers, body }) => verifySanity(body, headers["sanity-webhook-signature"], secret),
  sendgrid: ({ secret, headers, body }) =>
    events.verifySignature(
      events.convertPublicKeyToECDSA(secret),
      body,
      headers["x-twilio-email-event-webhook-signature"],
      headers["x-twilio-email-event-webhook-timestamp"],
    ),
  "standard-webhooks": ({ secret, headers, body }) => new StandardWebhook(secret).verify(body, headers),
  stripe: ({ secret, headers, body }) => stripe.webhooks.constructEvent(body, headers["stripe-signature"], secret),
  svix: ({ secret, headers, body }) => new SvixWebhook(secret).verify(body, headers),
  twilio: ({ secret, url, headers, body }) =>
    twilio.validateRequest(secret, headers["x-twilio-signature"], url, Object.fromEntries(new URLSearchParams(body))),
};

// `tern:PLATFORM`: one library that knows many senders.
const byTern = async (platform, { secret, method, url, headers, body }) => {
  const request = new Request(url, { method, headers, body });
  const verdict = await tern.verifyWithPlatformConfig(request, platform, secret);
  if (!verdict.isValid) throw new Error(verdict.error);
};

for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line);
  let answer;
  try {
    const [judge, platform] = asked.judge.split(":");
    const said = platform ? await byTern(platform, asked) : await judges[judge](asked);
    answer = said === false ? { valid: false, why: "the library says no" } : { valid: true };
  } catch (error) {
    answer = { valid: false, why: String(error) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
