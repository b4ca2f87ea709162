// What interop.mjs and relay.mjs share: processes of whop-notify, and checks.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

const binary = process.argv[2];
export const key = 'interop-key-that-no-log-shows';
export const company = { company_id: 'biz_interop', title: 'Paid', content: 'Invoice 7 is paid' };
export const account = { account_id: 'biz_interop', title: 'Paid', content: 'Invoice 7 is paid' };
export const experience = { experience_id: 'exp_interop', title: 'Class at six', content: 'Room 2' };
export const optional = { subtitle: 'Today', rest_path: '/bookings?id=7', icon_user_id: 'user_3', user_ids: ['user_1'] };
export const versions = ['0.0.33', '0.0.39', '0.0.42'];

// The environment that a developer has set must not reach the SDK.
for (const name of Object.keys(process.env)) {
  if (name.startsWith('WHOP_')) delete process.env[name];
}

let failed = 0;

export async function check(name, body) {
  try {
    await body();
    console.log(`PASS ${name}`);
  } catch (err) {
    failed++;
    console.log(`FAIL ${name}\n${err?.stack ?? err}`);
  }
}

export function finish() {
  console.log(failed === 0 ? 'all passed' : `${failed} failed`);
  process.exitCode = failed === 0 ? 0 : 1;
}

// loadSDK imports one of Whop's own.
export async function loadSDK(version) {
  const name = `whop-sdk-${version}`;
  const installed = JSON.parse(readFileSync(new URL(`node_modules/${name}/package.json`, import.meta.url)));
  assert.equal(installed.version, version);
  console.log(`${installed.name} ${installed.version}`);
  return import(name);
}

// launch starts a command that listens: where, and a function that ends it and returns its log.
export async function launch(command, flags, env) {
  const child = spawn(binary, [command, ...flags], { env: { PATH: process.env.PATH, WHOP_API_KEY: key, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text) => (log += text));
  const closed = once(child, 'close');
  const [line] = await Promise.race([
    once(createInterface({ input: child.stdout }), 'line'),
    closed.then(() => Promise.reject(new Error(`${command} ended before it listened: ${log}`))),
    sleep(30_000, undefined, { ref: false }).then(() => Promise.reject(new Error(`${command} did not listen within 30 s`))),
  ]);
  const baseURL = /^listening on (http:\/\/127\.0\.0\.1:\d+\/api\/v1)$/.exec(line)?.[1];
  const stop = async () => {
    child.kill('SIGTERM');
    const [code, signal] = await closed;
    assert.equal(signal, null);
    assert.equal(code, 0, `${command} exits with 0 on SIGTERM: ${log}`);
    assert.ok(!log.includes(key), 'the log shows the key');
    return log.trim().split('\n');
  };
  if (!baseURL) {
    child.kill('SIGKILL');
    assert.fail(`unexpected first line: ${line}`);
  }
  const kill = async () => {
    child.kill('SIGKILL');
    await closed;
  };
  return { baseURL, child, stop, kill, log: () => log };
}

// refused checks that a call fails with the SDK's class for it, and returns the envelope.
export async function refused(call, kind, status) {
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
