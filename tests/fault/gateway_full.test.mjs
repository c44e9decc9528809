// The whole gateway when there is no room left: on the disk (a shim under an unchanged program, so that no privilege is needed) and
// among its descriptors. Calls get a clear refusal and do nothing; a person can still look and still stop what runs; and when there
// is room again everything works without a restart.
import assert from 'node:assert/strict';
import { connect as dial } from 'node:net';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { Gateway, connect, waitFor } from '../e2e/harness.mjs';

const shim = process.env.WRIT_DISK_SHIM;
const gateways = [];
after(async () => { for (const gw of gateways) await gw.close(); });

function gateway() {
  const gw = new Gateway();
  gateways.push(gw);
  gw.configure(`
${gw.echo('all')}`);
  gw.policy('permit (principal, action, resource);');
  gw.task('[[grants]]\ntools = ["echo/*"]\n');
  return gw;
}
const bearer = (held) => ({ authorization: `Bearer ${held.token}` });
const received = (gw) => readFileSync(gw.path('echo.log'), 'utf8').split('\n').filter((l) => l.includes('"tools/call"')).length;

test('a full disk: calls are refused, people can look and revoke, and it passes', async () => {
  assert.ok(existsSync(shim), `no shim at ${shim}`);
  const gw = gateway();
  const full = gw.path('disk-is-full');
  await gw.up({ env: { LD_PRELOAD: shim, WRIT_SHIM_DIR: gw.path('state'), WRIT_SHIM_FULL: full } });
  const doomed = await gw.bearer(gw.path('task.toml')), kept = await gw.bearer(gw.path('task.toml'));
  const agents = [await connect(gw.mcp, bearer(doomed)), await connect(gw.mcp, bearer(kept))];
  for (const agent of agents) assert.equal((await agent.tool('echo__a', {})).json.result.isError ?? false, false);
  writeFileSync(full, '');
  // Room made ahead is used up first.
  let acknowledged = received(gw), refusal;
  const started = Date.now();
  while (!refusal) {
    assert.ok(Date.now() - started < 120_000, 'the disk never got full');
    const answers = await Promise.all(Array.from({ length: 32 }, (_, i) => agents[i % 2].tool('echo__a', {})));
    for (const r of answers) {
      if (r.json?.result && !r.json.result.isError) acknowledged++;
      else refusal ??= r;
    }
  }
  assert.match(refusal.text, /evidence log cannot be written|recorded/, refusal.text);
  // From here on nothing reaches the tool server, and every caller is told in the same clear way.
  const before = received(gw);
  for (let i = 0; i < 20; i++) {
    const r = await agents[i % 2].tool('echo__a', {});
    assert.ok(r.status === 503 || r.json?.error || r.json?.result?.isError, r.text);
    assert.match(r.text, /evidence log cannot be written|record/, r.text);
  }
  assert.equal(received(gw), before, 'no evidence, no effect');
  // People: looking works, starting says why not, stopping works and is recorded.
  const status = JSON.parse((await gw.api('GET', 'status')).body);
  assert.equal(status.ledger.writable, false);
  assert.match(status.ledger.reason, /./);
  assert.equal((await gw.json('task', 'list')).json.tasks.length, 2);
  assert.equal((await gw.cli('catalog', 'list')).code, 0);
  assert.equal((await gw.cli('evidence', 'verify')).code, 0);
  const refusedStart = await gw.cli('task', 'start', gw.path('task.toml'));
  assert.equal(refusedStart.code, 1, 'nothing begins that cannot be recorded');
  assert.match(refusedStart.err, /record/);
  const ready = await fetch(`${gw.mcp.replace('/mcp', '')}/readyz`);
  assert.equal(ready.status, 503);
  const revoked = await gw.cli('task', 'revoke', doomed.task);
  assert.equal(revoked.code, 0, `a revocation has room of its own: ${revoked.err}`);
  assert.equal((await agents[0].tool('echo__a', {})).status, 401);
  // A policy that cannot be recorded does not come into force.
  gw.policy('forbid (principal, action, resource);');
  const reload = await gw.cli('reload');
  assert.equal(reload.code, 1);
  assert.match(reload.err, /nothing was changed/);
  gw.policy('permit (principal, action, resource);');
  rmSync(full);
  await waitFor(async () => JSON.parse((await gw.api('GET', 'status')).body).ledger.writable, 'the log to find room again');
  await waitFor(async () => (await agents[1].tool('echo__a', {})).json?.result?.isError !== true, 'calls to be permitted again');
  const again = await gw.bearer(gw.path('task.toml'));
  assert.equal((await (await connect(gw.mcp, bearer(again))).tool('echo__a', {})).status, 200);
  await gw.down();
  const verified = await gw.json('evidence', 'verify');
  assert.equal(verified.code, 0, JSON.stringify(verified.json));
  const log = (await gw.cli('--json', 'evidence', 'tail', '-n', '1000000')).out.trim().split('\n').map((l) => JSON.parse(l));
  const ended = log.filter((e) => e.type === 'task.ended' && e.task === doomed.task);
  assert.equal(ended.length, 1);
  assert.equal(ended[0].data.state ?? ended[0].data.status ?? 'revoked', 'revoked');
  assert.ok(log.some((e) => e.type === 'evidence.gap'), 'what was refused meanwhile is counted in the log');
  const permitted = log.filter((e) => e.type === 'call.decided' && e.data.kind === 'permit').length;
  assert.ok(received(gw) <= permitted, `${received(gw)} received, ${permitted} decided`);
  console.log(`full disk: ${acknowledged} calls before it, ${received(gw)} received, ${permitted} decided, ${log.length} events`);
});

test('a tool that is first seen while the store is full is offered once its pin is stored, and is that tool after a restart', async () => {
  const gw = gateway();
  gw.configure(gw.server('grows') + gw.domain('all', 'grows/*'));
  gw.task('[[grants]]\ntools = ["grows/*"]\n');
  const full = gw.path('disk-is-full');
  const env = { LD_PRELOAD: shim, WRIT_SHIM_DIR: gw.path('state'), WRIT_SHIM_FULL: full };
  await gw.up({ env });
  const held = await gw.bearer(gw.path('task.toml'));
  const agent = await connect(gw.mcp, bearer(held));
  const shown = async () => (await agent.call('tools/list')).json.result.tools.map((t) => t.name).sort();
  assert.deepEqual(await shown(), ['grows__a']);
  writeFileSync(full, '');
  // The server lists `b` after this call; the log still has room that was made ahead.
  assert.notEqual((await agent.tool('grows__a', {})).json.result?.isError, true);
  await waitFor(() => gw.log.includes('pins are not stored'), 'the store to be full');
  assert.deepEqual(await shown(), ['grows__a']);
  const early = await agent.tool('grows__b', {});
  assert.equal(early.json.result?.isError, true, early.text);
  assert.match(early.text, /new and not ready yet; try again/);
  rmSync(full);
  await waitFor(async () => (await shown()).length === 2, 'the pin to be stored');
  assert.notEqual((await agent.tool('grows__b', {})).json.result?.isError, true);
  await gw.down();
  // Another definition of `b` from now on.
  gw.configure(gw.server('grows', 'grown') + gw.domain('all', 'grows/*'));
  await gw.up({ env });
  const later = await connect(gw.mcp, bearer(await gw.bearer(gw.path('task.toml'))));
  const refused = await later.tool('grows__b', {});
  assert.equal(refused.json.result?.isError, true, refused.text);
  assert.match(refused.text, /definition changed/);
});

test('no descriptors left: agents that are there go on, a person can revoke, and it passes', async () => {
  const gw = gateway();
  await gw.up({ openFiles: 120 });
  const doomed = await gw.bearer(gw.path('task.toml')), kept = await gw.bearer(gw.path('task.toml'));
  const agents = [await connect(gw.mcp, bearer(doomed)), await connect(gw.mcp, bearer(kept))];
  for (const agent of agents) assert.equal((await agent.tool('echo__a', {})).status, 200);
  const { port } = new URL(gw.mcp);
  const crowd = Array.from({ length: 300 }, () => { const s = dial(Number(port), '127.0.0.1'); s.on('error', () => {}); return s; });
  await new Promise((done) => setTimeout(done, 500));
  // Whoever gets in is served; whoever does not is not left hanging without end.
  const answers = await Promise.all(agents.map((agent) => Promise.race([
    agent.tool('echo__a', {}).then((r) => r.status, (e) => `refused: ${e.message}`),
    new Promise((done) => setTimeout(() => done('no answer in 15 s'), 15_000))])));
  for (const answer of answers) assert.notEqual(answer, 'no answer in 15 s');
  const revoked = await gw.cli('task', 'revoke', doomed.task);
  assert.equal(revoked.code, 0, `a person can still stop what runs: ${revoked.err}`);
  for (const s of crowd) s.destroy();
  await waitFor(async () => (await agents[1].tool('echo__a', {}).catch(() => ({}))).status === 200, 'the other agent to be served');
  assert.equal((await agents[0].tool('echo__a', {})).status, 401);
  await gw.down();
  assert.equal((await gw.json('evidence', 'verify')).code, 0);
});
