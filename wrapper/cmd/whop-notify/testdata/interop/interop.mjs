// Runs Whop's own TypeScript SDK, unchanged, against whop-notify serve, which it reaches
// by its base URL alone. A PASS line for each check; exit code 1 on any difference.
//
//   node interop.mjs PATH_OF_WHOP_NOTIFY
//
// The SDK is pinned to the version that ships the vendored contract: two bodies, with
// company_id or experience_id, and the answer {success}.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import Whop, * as sdk from '@whop/sdk';

const binary = process.argv[2];
const key = 'interop-key-that-no-log-shows';
const company = { company_id: 'biz_interop', title: 'Paid', content: 'Invoice 7 is paid' };
const experience = { experience_id: 'exp_interop', title: 'Class at six', content: 'Room 2' };

// The environment that a developer has set must not reach the SDK.
for (const name of Object.keys(process.env)) {
  if (name.startsWith('WHOP_')) delete process.env[name];
}

let failed = 0;

async function check(name, body) {
  try {
    await body();
    console.log(`PASS ${name}`);
  } catch (err) {
    failed++;
    console.log(`FAIL ${name}\n${err?.stack ?? err}`);
  }
}

// serve runs body against a stand-in of its own, then stops it and gives its log.
async function serve(flags, body) {
  const child = spawn(binary, ['serve', '--addr', '127.0.0.1:0', ...flags], {
    env: { PATH: process.env.PATH, WHOP_API_KEY: key },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text) => (log += text));
  const closed = once(child, 'close');
  const [line] = await Promise.race([
    once(createInterface({ input: child.stdout }), 'line'),
    closed.then(() => Promise.reject(new Error(`serve ended before it listened: ${log}`))),
    sleep(30_000, undefined, { ref: false }).then(() => Promise.reject(new Error('serve did not listen within 30 s'))),
  ]);
  try {
    const baseURL = /^listening on (http:\/\/127\.0\.0\.1:\d+\/api\/v1)$/.exec(line)?.[1];
    assert.ok(baseURL, `unexpected first line: ${line}`);
    await body((options) => new Whop({ apiKey: key, baseURL, maxRetries: 0, ...options }), () => log);
  } finally {
    child.kill('SIGTERM');
  }
  const [code, signal] = await closed;
  assert.equal(signal, null);
  assert.equal(code, 0, 'serve exits with 0 on SIGTERM');
  assert.ok(!log.includes(key), 'the log shows the key');
  return log.trim().split('\n');
}

// refused checks that a call fails with the SDK's class for it, and gives the envelope.
async function refused(call, kind, status) {
  const err = await call.then(
    () => assert.fail('the call succeeded'),
    (reason) => reason,
  );
  assert.ok(err instanceof kind, `${err?.constructor?.name} in place of ${kind.name}: ${err}`);
  assert.equal(err.status, status);
  const envelope = err.error?.error;
  assert.equal(typeof envelope?.type, 'string');
  assert.equal(typeof envelope?.message, 'string');
  return envelope;
}

const installed = JSON.parse(readFileSync(new URL('node_modules/@whop/sdk/package.json', import.meta.url)));
console.log(`@whop/sdk ${installed.version}, node ${process.version}`);

await check('both variants, all fields, null for what is left out', async () => {
  const log = await serve([], async (client) => {
    assert.deepEqual(await client().notifications.create(company), { success: true });
    assert.deepEqual(await client().notifications.create(experience), { success: true });
    const all = { subtitle: 'Today', rest_path: '/bookings?id=7', icon_user_id: 'user_3', user_ids: ['user_1'] };
    assert.deepEqual(await client().notifications.create({ ...experience, ...all }), { success: true });
    const none = { subtitle: null, rest_path: null, icon_user_id: null, user_ids: null };
    const { data, response } = await client().notifications.create({ ...company, ...none }).withResponse();
    assert.deepEqual(data, { success: true });
    assert.equal(response.status, 200);
  });
  assert.equal(log.filter((l) => /method=POST path=\/api\/v1\/notifications status=200/.test(l)).length, 4);
});

await check('400: a missing title, no target, two targets, a wrong type, an unknown version', () =>
  serve([], async (client) => {
    const bad = async (body) => refused(client().notifications.create(body), sdk.BadRequestError, 400);
    const { title, ...untitled } = company;
    const missing = await bad(untitled);
    assert.equal(missing.param, 'title');
    assert.equal(missing.code, 'parameter_missing');
    assert.equal(missing.type, 'invalid_request_error');
    await bad({ title, content: 'x' });
    await bad({ ...company, ...experience });
    assert.equal((await bad({ ...company, user_ids: 'user_1' })).param, 'user_ids');
    await refused(client({ version: '1999-01-01' }).notifications.create(company), sdk.BadRequestError, 400);
  }));

await check('401: a wrong key', () =>
  serve([], async (client) => {
    await refused(client({ apiKey: 'wrong' }).notifications.create(company), sdk.AuthenticationError, 401);
  }));

await check('404: another resource', () =>
  serve([], async (client) => {
    await refused(client().users.retrieve('user_1'), sdk.NotFoundError, 404);
  }));

await check('403, 404, 409, 422, 429, 500: the class for each', () =>
  serve(['--fail', '403,404,409,422,429,500'], async (client) => {
    for (const [kind, status] of [
      [sdk.PermissionDeniedError, 403],
      [sdk.NotFoundError, 404],
      [sdk.ConflictError, 409],
      [sdk.UnprocessableEntityError, 422],
      [sdk.RateLimitError, 429],
      [sdk.InternalServerError, 500],
    ]) {
      await refused(client().notifications.create(company), kind, status);
    }
    assert.deepEqual(await client().notifications.create(company), { success: true });
  }));

await check('503 and 429: retried until it is queued', async () => {
  const log = await serve(['--fail', '503,429'], async (client) => {
    assert.deepEqual(await client({ maxRetries: 2 }).notifications.create(company), { success: true });
  });
  assert.deepEqual(log.map((l) => /status=(\d+)/.exec(l)[1]), ['503', '429', '200']);
});

await check('429: the rate limit, with the wait in the message', () =>
  serve(['--rate-limit', '2'], async (client) => {
    await client().notifications.create(company);
    await client().notifications.create(company);
    const limited = await refused(client().notifications.create(company), sdk.RateLimitError, 429);
    assert.match(limited.message, /\d+ seconds?/);
  }));

await check('an idempotency key: replay, and mismatch', async () => {
  const headers = { 'Idempotency-Key': 'invoice-7' };
  const log = await serve([], async (client) => {
    const first = await client().notifications.create(company, { headers }).withResponse();
    assert.equal(first.response.headers.get('Idempotent-Replayed'), null);
    const again = await client().notifications.create(company, { headers }).withResponse();
    assert.equal(again.response.headers.get('Idempotent-Replayed'), 'true');
    assert.deepEqual(again.data, first.data);
    const mismatch = await refused(client().notifications.create(experience, { headers }), sdk.BadRequestError, 400);
    assert.equal(mismatch.code, 'idempotency_key_mismatch');
  });
  assert.equal(log.filter((l) => l.includes('idempotency_key=invoice-7')).length, 3);
});

console.log(failed === 0 ? 'all passed' : `${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
