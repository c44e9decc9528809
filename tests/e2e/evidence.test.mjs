// What an investigator does with the evidence of a real gateway: every verb of `writ evidence`, on a log with a permitted and a
// forbidden call, secrets in arguments, foreign text meant for terminals and browsers, and a person who wants to be forgotten.
import assert from 'node:assert/strict';
import { cpSync, existsSync, readFileSync, readdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Gateway, connect, waitFor } from './harness.mjs';

const gw = new Gateway();
const evil = '\u001b]0;owned\u0007<script>alert(1)</script>\u202e=HYPERLINK("x")';
let task, receipt, answer, permitted, forbidden;
after(() => gw.close());

const search = async (...args) => (await gw.json('evidence', 'search', ...args)).json.events.map((e) => e.event);

before(async () => {
  gw.configure(`
${gw.echo()}
[[export]]
name = "siem"
format = "ocsf"
to = "file:${gw.path('siem.ndjson')}"
[redact]
fields = ["ssn"]
`);
  gw.policy(`permit (principal in Writ::Group::"assistants", action, resource);
@id("no-evil")
forbid (principal, action == Writ::Action::"echo/b", resource);`);
  gw.task(`[[grants]]\ntools = ["echo/*"]\n`);
  await gw.up();
  const bearer = await gw.bearer(gw.path('task.toml'));
  task = bearer.task;
  const agent = await connect(gw.mcp, { authorization: `Bearer ${bearer.token}` });
  answer = (await agent.tool('echo__a', { text: 'hello 4711', password: 'hunter2', ssn: '123-45-6789' })).text;
  receipt = JSON.parse(answer).result._meta['dev.writ/receipt'];
  await agent.tool('echo__b', { evil });
  await gw.json('task', 'end', task, '--reason', evil);
  const published = async () => (await gw.cli('evidence', 'tail', '-n', '100')).out.includes('task.ended');
  await waitFor(published, 'the end to be published');
  [permitted] = await search('--verdict', 'permit');
  [forbidden] = await search('--verdict', 'forbid');
});

test('search finds by words, verdict, tool, domain and agent, and its index agrees with the log', async () => {
  assert.equal((await search('--verdict', 'permit', '--tool', 'echo/a')).length, 1);
  assert.equal((await search('--domain', 'echoes', '--type', 'call.decided')).length, 2);
  assert.equal((await search('no-evil')).length, 1);
  assert.ok((await search('--agent', 'bot')).length >= 4);
  assert.equal((await search('hunter2')).length, 0, 'what is sealed is not searched');
  assert.equal((await gw.json('evidence', 'search', '--check')).code, 0);
  assert.equal((await gw.json('evidence', 'search', '--rebuild', '--check')).code, 0);
  assert.equal((await gw.cli('evidence', 'search', '--since', 'yesterday-ish')).code, 2);
});

test('a trace from any name; foreign text is inert in a terminal, a page and a spreadsheet', async () => {
  for (const id of [task, permitted.session, permitted.call, permitted.id, 'bot', 'echo/a']) {
    const trace = await gw.cli('evidence', 'trace', id, '--payloads');
    assert.equal(trace.code, 0, trace.err);
    assert.match(trace.out, /call\.decided {2}permit echo\/a/);
    assert.doesNotMatch(trace.out, /[\u0000-\u0008\u000b-\u001f\u202e]/);
  }
  const shown = await gw.cli('evidence', 'trace', task, '--payloads');
  assert.match(shown.out, /hello 4711/);
  for (const secret of ['hunter2', '123-45-6789']) assert.ok(!shown.out.includes(secret), `${secret} was redacted`);
  const page = gw.path('page.html');
  assert.equal((await gw.cli('evidence', 'trace', task, '--payloads', '--html', '-o', page)).code, 0);
  const html = readFileSync(page, 'utf8');
  assert.match(html, /default-src 'none'/);
  assert.doesNotMatch(html, /<script|\u001b|\u202e|https?:\/\//);
  const csv = await gw.cli('evidence', 'search', '--csv');
  for (const field of csv.out.split('\r\n').flatMap((line) => line.split(/,(?=")/))) assert.doesNotMatch(field, /^"[=+@-]/);
  assert.equal((await gw.cli('evidence', 'trace', '01a2099a-0000-7000-8000-000000000000')).code, 1);
});

test('a bundle proves itself elsewhere, and an event taken out is noticed', async () => {
  const file = gw.path('incident.writ-bundle');
  const made = await gw.json('evidence', 'bundle', task, '-o', file);
  assert.equal(made.code, 0, made.out + made.err);
  const vkey = join(gw.path('state'), 'log/default/gw-1/log.vkey');
  const good = await gw.json('evidence', 'verify', '--bundle', file, '--vkey', vkey);
  assert.equal(good.code, 0, JSON.stringify(good.json));
  assert.equal(good.json.whole.length, 1, 'the session is whole');
  assert.equal(good.json.self_declared_key, false);
  const bundle = JSON.parse(readFileSync(file, 'utf8'));
  for (let i = 0; i < bundle.events.length; i++) {
    const cut = structuredClone(bundle);
    cut.events.splice(i, 1);
    writeFileSync(gw.path('cut'), JSON.stringify(cut));
    assert.equal((await gw.json('evidence', 'verify', '--bundle', gw.path('cut'), '--vkey', vkey)).code, 4, `event ${i}`);
  }
});

test('a receipt is checked against the log, and a log that was cut or changed is found', async () => {
  writeFileSync(gw.path('answer.json'), answer);
  const good = await gw.json('evidence', 'verify', '--receipt', gw.path('answer.json'));
  assert.equal(good.code, 0, JSON.stringify(good.json));
  assert.equal(good.json.index, receipt.index);
  writeFileSync(gw.path('other.json'), JSON.stringify({ ...receipt, index: receipt.index + 1 }));
  assert.equal((await gw.json('evidence', 'verify', '--receipt', gw.path('other.json'))).code, 4);
  const copy = gw.path('copy');
  cpSync(join(gw.path('state'), 'log/default/gw-1'), copy, { recursive: true });
  const bundles = join(copy, 'tile/entries');
  const width = (file) => Number(file.split('/').pop());
  const newest = readdirSync(bundles, { recursive: true }).map((f) => join(bundles, f)).filter((f) => /\/\d+$/.test(f))
    .sort((a, b) => width(a) - width(b)).pop();
  truncateSync(newest, readFileSync(newest).length - 10);
  assert.equal((await gw.json('evidence', 'verify', '--log', copy)).code, 4);
});

test('a decision computed once more gives the same verdict', async () => {
  const refused = await gw.json('evidence', 'replay', forbidden.id);
  assert.equal(refused.code, 0, JSON.stringify(refused.json));
  assert.equal(refused.json.computed.verdict, 'forbid');
  const redacted = await gw.json('evidence', 'replay', permitted.call);
  assert.equal(redacted.code, 1);
  assert.match(redacted.json.why, /redacted/);
});

test('explain names the refusal and ranks its causes', async () => {
  const found = await gw.json('evidence', 'explain', task);
  assert.equal(found.code, 0, found.err);
  assert.equal(found.json.trouble.event, forbidden.id);
  assert.equal(found.json.causes[0].cause, 'access change');
});

test('exports resume, and the continuous exporter delivers every event', async () => {
  const cursor = gw.path('cursor');
  const first = await gw.cli('evidence', 'export', '--format', 'cloudevents', '--cursor', cursor, '-n', '3');
  const rest = await gw.cli('evidence', 'export', '--format', 'cloudevents', '--cursor', cursor);
  const { size } = (await gw.json('evidence', 'verify')).json;
  const all = (first.out + rest.out).trim().split('\n').map((line) => JSON.parse(line));
  assert.equal(all.length, size);
  assert.deepEqual(all.map((e) => Number(e.sequence)), [...all.keys()]);
  const siem = gw.path('siem.ndjson');
  const lines = () => existsSync(siem) ? readFileSync(siem, 'utf8').trim().split('\n') : [];
  await waitFor(() => lines().length >= size, 'the exporter to catch up');
  for (const line of lines()) assert.ok(JSON.parse(line).class_uid > 0);
});

test('a person is forgotten on the record, and every proof still holds', async () => {
  const refused = await gw.cli('evidence', 'shred', '--subject', 'alice', '--reason', 'request 7');
  assert.equal(refused.code, 2, 'not without a yes where nobody can be asked');
  const plan = await gw.json('evidence', 'shred', '--subject', 'alice', '--reason', 'request 7', '--dry-run');
  assert.ok(plan.json.keys >= 1, JSON.stringify(plan.json));
  assert.match((await gw.cli('evidence', 'trace', task, '--payloads')).out, /hello 4711/, 'a dry run changes nothing');
  const done = await gw.json('evidence', 'shred', '--subject', 'alice', '--reason', 'request 7', '--yes');
  assert.equal(done.code, 0, done.out + done.err);
  await waitFor(async () => (await search('--type', 'payload.shredded')).length === 1, 'the event');
  const after = await gw.cli('evidence', 'trace', task, '--payloads');
  assert.doesNotMatch(after.out, /hello 4711/);
  assert.match(after.out, new RegExp(`shredded by event ${done.json.events[0]}`));
  assert.equal((await gw.json('evidence', 'verify')).code, 0);
});
