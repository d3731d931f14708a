// Signs as vendors' own SDKs for Node do. Reads one JSON object a line: {provider, secret, id, time, body, url};
// answers each with one line: the headers, or for a `…-verify` provider {"verified": true} or {"error": …}. A signature
// that stands elsewhere comes with what it stands in: ":body" instead of the body, ":query" to be added to the address.
import crypto from "node:crypto";
import { createInterface } from "node:readline";
import "@shopify/shopify-api/adapters/node";
import { createSHA256HMAC } from "@shopify/shopify-api/runtime";
import adyen from "@adyen/api-library";
import { sign as signGithub } from "@octokit/webhooks-methods";
import { encodeSignatureHeader as signSanity } from "@sanity/webhook";
import { FlattenedSign, SignJWT, exportJWK, generateKeyPair } from "jose";
import { Webhook as StandardWebhook } from "standardwebhooks";
import Stripe from "stripe";
import { Webhook as SvixWebhook } from "svix";
import twilio from "twilio";
import XHub from "x-hub-signature";

const stripe = new Stripe("sk_test_signs_nothing");
const date = ({ time }) => new Date(time * 1000);

const hmac = new adyen.hmacValidator();
const hub = (algorithm, { secret, body }) => new XHub(algorithm, secret).sign(Buffer.from(body));

const standard = (asked, key = asked.secret) => ({
  "webhook-id": asked.id,
  "webhook-timestamp": String(asked.time),
  "webhook-signature": new StandardWebhook(key).sign(asked.id, date(asked), asked.body),
});

// Key pairs of this process; "stranger" makes tokens that look right and are nobody's.
const keys = {};
for (const [kid, alg] of [
  ["canvas", "RS256"], ["es", "ES256"], ["ed", "EdDSA"], ["stranger", "RS256"], ["shop", "RS256"], ["plaid", "ES256"],
]) {
  keys[kid] = { alg, ...(await generateKeyPair(alg, { extractable: true })) };
}
const published = async (...kids) =>
  JSON.stringify({
    keys: await Promise.all(
      kids.map(async (kid) => ({ ...(await exportJWK(keys[kid].publicKey)), kid, alg: keys[kid].alg, use: "sig" })),
    ),
  });

// A bearer token that is good for a minute from the time asked for.
const bearer = async ({ time }, header, key) => {
  const token = new SignJWT({}).setProtectedHeader(header).setIssuer("us").setAudience("lychgate");
  return { authorization: `Bearer ${await token.setIssuedAt(time).setExpirationTime(time + 60).sign(key)}` };
};
const bearerOf = (asked, kid) => bearer(asked, { alg: keys[kid].alg, kid }, keys[kid].privateKey);

// Canvas' data stream: the whole body is a token.
const canvas = async ({ body, time }, key, kid) => {
  const token = new SignJWT(JSON.parse(body)).setProtectedHeader({ alg: "RS256", kid, typ: "JWT" });
  const signed = await token.setIssuer("https://live-events.canvas.instructure.com").setIssuedAt(time).sign(key);
  return { "content-type": "application/jwt", ":body": signed };
};

// A token whose payload is the body, as it is (RFC 7797).
const detached = async ({ body }, key, kid) => {
  const signing = new FlattenedSign(new TextEncoder().encode(body));
  const { protected: header, signature } = await signing
    .setProtectedHeader({ alg: "RS256", kid, b64: false, crit: ["b64"] })
    .sign(key, { crit: { b64: true } });
  return { "saleor-event": "order_created", "saleor-signature": `${header}..${signature}` };
};

// A token with the body's digest among its claims; the id asked for names its key.
const digested = async ({ id, time, body }, key, claims = {}) => {
  const token = new SignJWT({ request_body_sha256: crypto.createHash("sha256").update(body).digest("hex"), ...claims });
  const signed = token.setProtectedHeader({ alg: "ES256", kid: id, typ: "JWT" }).setIssuedAt(time);
  return { "plaid-verification": await signed.sign(key) };
};

function verifyWebhookSignature(request, secret) {
  const signature = request.headers["x-platform-signature"];
  const body = JSON.stringify(request.body);
  const expectedSignature = "sha256=" + crypto.createHmac("sha256", secret).update(body).digest("hex");
  return crypto.timingSafeEqual(Buffer.from(signature), Buffer.from(expectedSignature));
}

const providers = {
  stripe: ({ secret, time, body }) => ({
    "stripe-signature": stripe.webhooks.generateTestHeaderString({ payload: body, secret, timestamp: time }),
  }),
  "standard-webhooks": (asked) => standard(asked),
  clerk: (asked) => standard(asked),
  openai: (asked) => standard(asked),
  "gitlab-signed": (asked) => ({ "x-gitlab-event": "Push Hook", ...standard(asked) }),
  // As Polar's SDK does: its secret is no base64, and the library's argument is.
  polar: (asked) => standard(asked, Buffer.from(asked.secret, "utf-8").toString("base64")),
  "standard-webhooks-verify": ({ secret, body, headers }) => {
    new StandardWebhook(secret).verify(body, headers);
    return { verified: true };
  },
  // Document D's own verifier, over the body as Express has parsed it.
  "platform-verify": ({ secret, body, headers }) => {
    const request = { headers, body: JSON.parse(body) };
    if (!verifyWebhookSignature(request, secret)) throw new Error("the signature is another's");
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
  "twilio-json": ({ secret, url, body }) => {
    const query = `bodySHA256=${twilio.getExpectedBodyHash(body)}`;
    return {
      "content-type": "application/json",
      "x-twilio-signature": twilio.getExpectedTwilioSignature(secret, `${url}?${query}`, {}),
      ":query": query,
    };
  },
  intercom: (asked) => ({ "x-hub-signature": hub("sha1", asked) }),
  meta: (asked) => ({ "x-hub-signature-256": hub("sha256", asked) }),
  sanity: async ({ secret, id, time, body }) => ({
    "idempotency-key": id,
    "sanity-operation": "update",
    "sanity-webhook-signature": await signSanity(body, time * 1000, secret),
  }),
  adyen: ({ secret, body }) => {
    const notification = JSON.parse(body);
    for (const { NotificationRequestItem: item } of notification.notificationItems) {
      item.additionalData = { hmacSignature: hmac.calculateHmac(item, secret) };
    }
    return { ":body": JSON.stringify(notification) };
  },
  "adyen-platform": ({ secret, body }) => ({ hmacsignature: hmac.calculateHmac(body, secret) }),
  "published-keys": async () => ({
    canvas: await published("canvas"),
    internal: await published("es", "ed"),
    saleor: await published("shop"),
    plaid: await published("plaid"),
  }),
  saleor: (asked) => detached(asked, keys.shop.privateKey, "shop"),
  "saleor-stranger": (asked) => detached(asked, keys.stranger.privateKey, "shop"),
  plaid: (asked) => digested(asked, keys.plaid.privateKey),
  "plaid-stranger": (asked) => digested(asked, keys.es.privateKey),
  canvas: (asked) => canvas(asked, keys.canvas.privateKey, "canvas"),
  "canvas-stranger": (asked) => canvas(asked, keys.stranger.privateKey, "canvas"),
  "jwt-hs256": (asked) => bearer(asked, { alg: "HS256" }, new TextEncoder().encode(asked.secret)),
  "jwt-es256": (asked) => bearerOf(asked, "es"),
  "jwt-eddsa": (asked) => bearerOf(asked, "ed"),
  "jwt-stranger": (asked) => bearerOf(asked, "stranger"),
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
