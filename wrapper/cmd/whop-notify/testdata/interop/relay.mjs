// Runs Whop's own TypeScript SDK, in three versions, through whop-notify relay in front of
// whop-notify serve. A PASS line for each check; exit code 1 on any difference.
//
//   node relay.mjs PATH_OF_WHOP_NOTIFY

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { Webhook } from 'standardwebhooks';

import { account, check, company, experience, finish, launch, loadSDK, optional, refused, versions } from './harness.mjs';

const relayKey = "the-relay's-own-key";

// until waits for a condition.
async function until(what, condition) {
  for (const end = Date.now() + 30_000; Date.now() < end; await sleep(50)) {
    if (await condition()) return;
  }
  assert.fail(`not within 30 s: ${what}`);
}

// through runs body against a relay in front of a stand-in, and returns what the stand-in got.
async function through(serveFlags, relayFlags, body) {
  const dir = mkdtempSync(join(tmpdir(), 'whop-relay-'));
  const keyFile = join(dir, 'key');
  writeFileSync(keyFile, relayKey);
  const server = await launch('serve', ['--addr', '127.0.0.1:0', ...serveFlags]);
  const start = (addr) =>
    launch('relay', ['--addr', addr, '--state', join(dir, 'state'), '--relay-key-file', keyFile, '--rate-limit', '0', ...relayFlags(dir)], { WHOP_BASE_URL: new URL(server.baseURL).origin + '/api/v1' });
  const relay = { ...(await start('127.0.0.1:0')) };
  relay.restart = async () => Object.assign(relay, await start(new URL(relay.baseURL).host));
  const got = () => [...server.log().matchAll(/status=(\d+).*?idempotency_key=(\S+)/g)].map(([, status, key]) => ({ status, key }));
  try {
    await body(relay, got);
    assert.ok(!(await relay.stop()).join().includes(relayKey), 'the log shows the key');
    await server.stop();
    return got();
  } finally {
    await relay.kill();
    await server.kill();
    rmSync(dir, { recursive: true });
  }
}

const none = () => [];

async function stateOf(baseURL, key) {
  const response = await fetch(`${baseURL}/notifications/${encodeURIComponent(key)}`, { headers: { Authorization: `Bearer ${relayKey}` } });
  return response.status === 200 ? response.json() : { state: response.status };
}

async function checkSDK(version) {
  const sdk = await loadSDK(version);
  const clientOf = (relay) => (options) => new sdk.default({ apiKey: relayKey, baseURL: relay.baseURL, maxRetries: 0, ...options });

  await check('both variants, all fields, and what became of them', async () => {
    const got = await through([], none, async (relay) => {
      const client = clientOf(relay);
      for (const notification of [company, experience, { ...company, ...optional }, { ...experience, ...optional }]) {
        const { data, response } = await client().notifications.create(notification).withResponse();
        assert.deepEqual(data, { success: true });
        assert.equal(response.status, 200);
        const key = response.headers.get('Idempotency-Key');
        await until('queued', async () => (await stateOf(relay.baseURL, key)).state === 'queued');
      }
      const headers = { 'Api-Version-Date': '2026-09-25' };
      const { response } = await client().notifications.create(account, { headers }).withResponse();
      assert.equal(response.status, 202);
      await until('queued', async () => (await stateOf(relay.baseURL, response.headers.get('Idempotency-Key'))).state === 'queued');
    });
    assert.equal(got.filter((r) => r.status === '200').length, 5);
  });

  await check('400, 401, 404: the class for each, and the parameter', async () => {
    const got = await through([], none, async (relay) => {
      const client = clientOf(relay);
      const bad = async (body) => refused(client().notifications.create(body), sdk.BadRequestError, 400);
      const { title, ...untitled } = company;
      const missing = await bad(untitled);
      assert.equal(missing.param, 'title');
      assert.equal(missing.code, 'parameter_missing');
      assert.equal(missing.type, 'invalid_request_error');
      assert.equal((await bad({ title, content: 'x' })).param, 'company_id');
      await bad({ ...company, ...experience });
      for (const user_ids of [null, [], 'user_1']) assert.equal((await bad({ ...company, user_ids })).param, 'user_ids');
      assert.equal((await bad(account)).param, 'account_id');
      await refused(client({ apiKey: 'wrong' }).notifications.create(company), sdk.AuthenticationError, 401);
      await refused(client().users.retrieve('user_1'), sdk.NotFoundError, 404);
    });
    assert.deepEqual(got, []);
  });

  await check('an idempotency key: replay, and mismatch', async () => {
    const headers = { 'Idempotency-Key': 'invoice-7' };
    const got = await through([], none, async (relay) => {
      const client = clientOf(relay);
      await client().notifications.create(company, { headers });
      const again = await client().notifications.create(company, { headers }).withResponse();
      assert.equal(again.response.headers.get('Idempotent-Replayed'), 'true');
      const mismatch = await refused(client().notifications.create(experience, { headers }), sdk.BadRequestError, 400);
      assert.equal(mismatch.code, 'idempotency_key_mismatch');
      await until('queued', async () => (await stateOf(relay.baseURL, 'invoice-7')).state === 'queued');
    });
    assert.deepEqual(got, [{ status: '200', key: 'invoice-7' }]);
  });

  await check('503 and 429 of Whop: the SDK hears a success, and the relay retries', async () => {
    const got = await through(['--fail', '503,429'], none, async (relay) => {
      const { response } = await clientOf(relay)().notifications.create(company).withResponse();
      const key = response.headers.get('Idempotency-Key');
      await until('queued', async () => (await stateOf(relay.baseURL, key)).state === 'queued');
    });
    assert.deepEqual(got.map((r) => r.status), ['503', '429', '200']);
    assert.equal(new Set(got.map((r) => r.key)).size, 1);
  });

  await check('a relay that is frozen: the SDK times out and retries under its key, and it goes out once', async () => {
    const got = await through([], none, async (relay) => {
      const headers = { 'Idempotency-Key': 'frozen' };
      relay.child.kill('SIGSTOP');
      const thaw = sleep(1500).then(() => relay.child.kill('SIGCONT'));
      const data = await clientOf(relay)({ timeout: 500, maxRetries: 8 }).notifications.create(company, { headers });
      await thaw;
      assert.deepEqual(data, { success: true });
      await until('queued', async () => (await stateOf(relay.baseURL, 'frozen')).state === 'queued');
    });
    assert.equal(got.filter((r) => r.status === '200').length, 1);
  });

  await check('a relay that is killed and started again: 20 sends go out, each under its own key', async () => {
    const keys = Array.from({ length: 20 }, (_, i) => `killed-${i}`);
    const got = await through([], none, async (relay) => {
      const client = clientOf(relay)({ timeout: 5000, maxRetries: 8 });
      const sends = keys.map(async (key, i) => {
        await sleep(i * 50);
        return client.notifications.create(company, { headers: { 'Idempotency-Key': key } });
      });
      const all = Promise.all(sends);
      await sleep(300);
      await relay.kill();
      await relay.restart();
      await all;
      for (const key of keys) await until(key, async () => (await stateOf(relay.baseURL, key)).state === 'queued');
    });
    for (const key of keys) assert.ok(got.some((r) => r.key === key && r.status === '200'), key);
    // Whop may get one again under its key after a kill, and replays its answer.
    assert.equal(new Set(got.map((r) => r.key)).size, keys.length);
  });
}

async function checkHook() {
  const secret = Buffer.from('a secret of the hook').toString('base64');
  await check('the hook is signed as Standard Webhooks are', async () => {
    const told = [];
    const hook = createServer(async (request, response) => {
      const chunks = [];
      for await (const chunk of request) chunks.push(chunk);
      try {
        told.push(new Webhook(secret).verify(Buffer.concat(chunks).toString(), request.headers));
        response.writeHead(204).end();
      } catch (err) {
        response.writeHead(400).end(String(err));
      }
    });
    await new Promise((listening) => hook.listen(0, '127.0.0.1', listening));
    const flags = (dir) => {
      const file = join(dir, 'secret');
      writeFileSync(file, `whsec_${secret}\n`);
      return ['--on-dead', `http://127.0.0.1:${hook.address().port}/`, '--on-dead-secret-file', file];
    };
    try {
      await through(['--fail', '422'], flags, async (relay) => {
        const headers = { Authorization: `Bearer ${relayKey}`, 'Content-Type': 'application/json', 'Idempotency-Key': 'refused' };
        await fetch(`${relay.baseURL}/notifications`, { method: 'POST', headers, body: JSON.stringify(company) });
        await until('told', async () => told.length > 0);
      });
    } finally {
      hook.closeAllConnections();
      hook.close();
    }
    assert.equal(told.length, 1);
    assert.equal(told[0].type, 'notification.dead');
    assert.equal(told[0].data.idempotency_key, 'refused');
    assert.equal(told[0].data.outcome, 'rejected');
  });
}

console.log(`whop-notify relay, node ${process.version}`);
for (const version of versions) await checkSDK(version);
await checkHook();
finish();
