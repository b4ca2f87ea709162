// Runs clients that Whop publishes against whop-notify serve, which they reach by their
// base URL alone. A PASS line for each check; exit code 1 on any difference.
//
//   node interop.mjs PATH_OF_WHOP_NOTIFY
//
// Whop's own TypeScript SDK runs unchanged, in three versions that have the vendored
// contract: two bodies, with company_id or experience_id, and the answer {success}. Newer
// ones send account_id under later version dates; their requests are made by hand.

import assert from 'node:assert/strict';

import { account, check, company, experience, finish, key, launch, loadSDK, optional, refused, versions } from './harness.mjs';

// serve runs body against a stand-in of its own, then stops it and returns its log.
async function serve(flags, body) {
  const server = await launch('serve', ['--addr', '127.0.0.1:0', ...flags]);
  try {
    await body(server.baseURL);
  } catch (err) {
    await server.kill();
    throw err;
  }
  return server.stop();
}

async function checkSDK(version) {
  const sdk = await loadSDK(version);
  const run = (flags, body) =>
    serve(flags, (baseURL) => body((options) => new sdk.default({ apiKey: key, baseURL, maxRetries: 0, ...options })));

  await check('both variants, all fields, null for what is left out', async () => {
    const log = await run([], async (client) => {
      assert.deepEqual(await client().notifications.create(company), { success: true });
      assert.deepEqual(await client().notifications.create(experience), { success: true });
      assert.deepEqual(await client().notifications.create({ ...experience, ...optional }), { success: true });
      const none = { subtitle: null, rest_path: null, icon_user_id: null, user_ids: null };
      const { data, response } = await client().notifications.create({ ...company, ...none }).withResponse();
      assert.deepEqual(data, { success: true });
      assert.equal(response.status, 200);
    });
    assert.equal(log.filter((l) => /method=POST path=\/api\/v1\/notifications status=200/.test(l)).length, 4);
  });

  await check('400: a missing title, no target, two targets, a wrong type, an unknown version, account_id', () =>
    run([], async (client) => {
      const bad = async (body) => refused(client().notifications.create(body), sdk.BadRequestError, 400);
      const { title, ...untitled } = company;
      const missing = await bad(untitled);
      assert.equal(missing.param, 'title');
      assert.equal(missing.code, 'parameter_missing');
      assert.equal(missing.type, 'invalid_request_error');
      await bad({ title, content: 'x' });
      await bad({ ...company, ...experience });
      assert.equal((await bad({ ...company, user_ids: 'user_1' })).param, 'user_ids');
      const unknown = { headers: { 'Api-Version-Date': '1999-01-01' } };
      await refused(client().notifications.create(company, unknown), sdk.BadRequestError, 400);
      assert.equal((await bad(account)).param, 'account_id');
    }));

  await check('401: a wrong key', () =>
    run([], async (client) => {
      await refused(client({ apiKey: 'wrong' }).notifications.create(company), sdk.AuthenticationError, 401);
    }));

  await check('404: another resource', () =>
    run([], async (client) => {
      await refused(client().users.retrieve('user_1'), sdk.NotFoundError, 404);
    }));

  await check('403, 404, 409, 422, 429, 500: the class for each', () =>
    run(['--fail', '403,404,409,422,429,500'], async (client) => {
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
    const log = await run(['--fail', '503,429'], async (client) => {
      assert.deepEqual(await client({ maxRetries: 2 }).notifications.create(company), { success: true });
    });
    assert.deepEqual(log.map((l) => /status=(\d+)/.exec(l)[1]), ['503', '429', '200']);
  });

  await check('429: the rate limit, with the wait in the message', () =>
    run(['--rate-limit', '2'], async (client) => {
      await client().notifications.create(company);
      await client().notifications.create(company);
      const limited = await refused(client().notifications.create(company), sdk.RateLimitError, 429);
      assert.match(limited.message, /\d+ seconds?/);
    }));

  await check('an idempotency key: replay, and mismatch', async () => {
    const headers = { 'Idempotency-Key': 'invoice-7' };
    const log = await run([], async (client) => {
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

  await check('202 and account_id, once the version date says so', () =>
    run([], async (client) => {
      const headers = { 'Api-Version-Date': '2026-09-25' };
      const { data, response } = await client().notifications.create(account, { headers }).withResponse();
      assert.deepEqual(data, { success: true });
      assert.equal(response.status, 202);
      const gone = await refused(client().notifications.create(company, { headers }), sdk.BadRequestError, 400);
      assert.match(gone.message, /company_id/);
    }));
}

// checkDate sends what a newer SDK sends that pins the date.
async function checkDate(date) {
  console.log(`requests of ${date}`);
  const run = (flags, body) =>
    serve(flags, (baseURL) =>
      body(async (notification, headers = { 'Api-Version-Date': date }) => {
        const response = await fetch(`${baseURL}/notifications`, {
          method: 'POST',
          headers: { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json', ...headers },
          body: JSON.stringify(notification),
        });
        return { status: response.status, replayed: response.headers.get('Idempotent-Replayed'), ...(await response.json()) };
      }),
    );

  await check('account and experience, all fields', () =>
    run([], async (post) => {
      for (const notification of [account, experience, { ...account, ...optional }, { ...experience, ...optional }]) {
        assert.deepEqual(await post(notification), { status: 202, replayed: null, success: true });
      }
    }));

  await check('400: no target, two targets, company_id', () =>
    run([], async (post) => {
      for (const notification of [{ title: 'T', content: 'C' }, { ...account, ...experience }, company]) {
        const answer = await post(notification);
        assert.equal(answer.status, 400);
        assert.equal(answer.error.type, 'bad_request');
        assert.deepEqual(Object.keys(answer.error).sort(), ['code', 'message', 'type']);
      }
    }));

  await check('an idempotency key: replay, and mismatch of body and of version', () =>
    run([], async (post) => {
      const headers = { 'Api-Version-Date': date, 'Idempotency-Key': 'invoice-7' };
      assert.deepEqual(await post(account, headers), { status: 202, replayed: null, success: true });
      assert.deepEqual(await post(account, headers), { status: 202, replayed: 'true', success: true });
      const other = { ...headers, 'Api-Version-Date': '2026-09-25' };
      for (const answer of [await post(experience, headers), await post(account, other)]) {
        assert.equal(answer.status, 400);
        assert.equal(answer.error.code, 'idempotency_key_mismatch');
      }
    }));

  await check('a key that is pinned to the version', () =>
    run(['--api-version', date], async (post) => {
      assert.equal((await post(account, {})).status, 202);
      assert.equal((await post(company, {})).status, 400);
      assert.equal((await post(company, { 'Api-Version-Date': '2026-07-20' })).status, 200);
    }));
}

console.log(`node ${process.version}`);
for (const version of versions) {
  await checkSDK(version);
}
for (const date of ['2026-08-25-2', '2026-09-02-1', '2026-09-09', '2026-09-13', '2026-09-22-3']) {
  await checkDate(date);
}
finish();
