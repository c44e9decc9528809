// What Prometheus reads: a call is made and the scrape says so, in both formats, on a listener that stays closed otherwise.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { after, test } from 'node:test';
import { connect, fakeServer, Gateway, waitFor } from './harness.mjs';

const gw = new Gateway();
after(() => gw.close());

const configure = (listen) => {
  const file = gw.configure(`
[[servers]]
name = "echo"
command = ["${fakeServer}", "echo", "${gw.path('echo.log')}"]
shared = true
[[domains]]
name = "echo"
sensitivity = "internal"
resources = ["echo/*"]
`);
  writeFileSync(file, readFileSync(file, 'utf8').replace('[listen]', `[listen]\n${listen}`));
};

// One scrape: {type, text, value(sample)}; every line must be of the format.
async function scrape(url, accept = 'text/plain') {
  const response = await fetch(url, { headers: { accept } });
  const text = await response.text();
  assert.equal(response.status, 200, text);
  const samples = new Map();
  for (const line of text.trimEnd().split('\n')) {
    if (line.startsWith('#')) { assert.match(line, /^# (HELP|TYPE) [a-z_]+ .+$|^# EOF$/); continue; }
    const [, name, value] = /^([a-z_]+(?:\{[^}]*\})?) (\S+)$/.exec(line) ?? assert.fail(`no sample: ${line}`);
    assert.ok(!samples.has(name), `twice: ${name}`);
    samples.set(name, Number(value));
  }
  return { type: response.headers.get('content-type'), text, value: (name) => samples.get(name) ?? assert.fail(`no ${name}`) };
}

test('metrics without a listener are refused with the place', async () => {
  gw.policy('permit (principal, action, resource) unless { context.input has secret };');
  gw.task('[[grants]]\ntools = ["echo/*"]\n');
  configure('metrics = true');
  const r = await gw.cli('up');
  assert.notEqual(r.code, 0);
  assert.match(r.err + r.out, /metrics.*readers/s);
});

test('a listener for the log alone has no metrics', async () => {
  configure('readers = "127.0.0.1:0"');
  await gw.up();
  const base = /http:\/\/[^ /]*/.exec(gw.log)[0];
  assert.equal((await fetch(`${base}/metrics`)).status, 404);
  await gw.down();
});

test('a call is made, and the scrape says so', async () => {
  configure('readers = "127.0.0.1:0"\nmetrics = true');
  await gw.up();
  const url = /http:\/\/[^ ]*\/metrics/.exec(gw.log)[0];
  const before = await scrape(url);
  const permitted = 'writ_calls_decided_total{verdict="permit",code="permitted"}';
  assert.equal(before.value(permitted), 0);
  assert.equal(before.value('writ_sessions_live'), 0);
  assert.equal(before.value('writ_server_state{server="echo",state="up"}'), 1);

  const { task, token } = await gw.bearer(gw.path('task.toml'));
  const agent = await connect(gw.mcp, { authorization: `Bearer ${token}` });
  const answer = await agent.tool('echo__a', { i: 1 });
  assert.ok(answer.json.result && !answer.json.result.isError, answer.text);
  await agent.tool('echo__<script>"\\\n', {});
  for (let i = 0; i < 20; ++i) await assert.rejects(connect(gw.mcp, { authorization: 'Bearer nothing' }), /401/);

  const now = await scrape(url);
  assert.equal(now.type, 'text/plain; version=0.0.4; charset=utf-8');
  assert.equal(now.value(permitted), 1);
  assert.equal(now.value('writ_calls_decided_total{verdict="forbid",code="unknown_tool"}'), 1);
  assert.equal(now.value('writ_calls_refused_total{kind="unknown"}'), 1);
  assert.equal(now.value('writ_calls_refused_total{kind="unauthenticated"}'), 20);
  assert.equal(now.value('writ_calls_ended_total{status="ok"}'), 1);
  assert.equal(now.value('writ_call_duration_seconds_count'), 1);
  assert.equal(now.value('writ_call_duration_seconds_bucket{le="+Inf"}'), 1);
  assert.equal(now.value('writ_call_decision_seconds_count'), 2);
  assert.equal(now.value('writ_calls_open'), 0);
  assert.equal(now.value('writ_tasks_live'), 1);
  assert.equal(now.value('writ_sessions_live'), 1);
  assert.ok(now.value('writ_ledger_entries_total') > before.value('writ_ledger_entries_total'));
  assert.ok(now.value('writ_ledger_commit_seconds_count') > 0);
  assert.equal(now.value('writ_ledger_writable'), 1);
  assert.ok(now.value('process_resident_memory_bytes') > 1 << 20);
  assert.ok(now.value('process_open_fds') > 5);
  assert.ok(Math.abs(now.value('process_start_time_seconds') - Date.now() / 1000) < 3600);
  assert.doesNotMatch(now.text, /<script|echo__/, 'no name that a caller chose');

  // As Prometheus asks.
  const open = await scrape(url, 'application/openmetrics-text;version=1.0.0;q=0.9,text/plain;version=0.0.4;q=0.5,*/*;q=0.1');
  assert.match(open.type, /^application\/openmetrics-text; version=1\.0\.0/);
  assert.ok(open.text.endsWith('# EOF\n'));
  assert.equal(open.value(permitted), 1);

  assert.equal((await fetch(url, { method: 'POST', body: '' })).status, 405);
  assert.equal((await fetch(url, { method: 'HEAD' })).status, 405);
  assert.equal((await fetch(`${url}?x`)).status, 404);

  // However many strangers come: one event now, and one in a minute.
  const tail = async () => (await gw.cli('evidence', 'tail', '-n', '1000')).out;
  await waitFor(async () => (await tail()).includes('limit.tripped'), 'strangers on the record');
  assert.equal((await tail()).match(/limit\.tripped/g).length, 1);

  await gw.json('task', 'end', task);
  assert.equal((await scrape(url)).value('writ_sessions_live'), 0);
});

const promtool = process.env.PROMTOOL ?? '/usr/bin/promtool';
test('promtool has nothing to say', { skip: existsSync(promtool) ? false : `${promtool} is not installed (Debian: prometheus)` }, async () => {
  const url = /http:\/\/[^ ]*\/metrics/.exec(gw.log)[0];
  const checked = spawnSync(promtool, ['check', 'metrics'], { input: (await scrape(url)).text, encoding: 'utf8' });
  assert.equal(checked.status, 0, checked.stdout + checked.stderr);
});
