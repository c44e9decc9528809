// kill -9 of the whole gateway, again and again, under load from several agents behind `writ run`. WRIT_KILLS says how often
// (default 5). What must hold afterwards, checked against what the upstream really received:
//   - every acknowledged call is in the log, as decided and as ended
//   - nothing reached the upstream without a decision in the log, and nothing reached it twice
//   - every permitted call has exactly one end; what was in flight is `unknown`
//   - budgets count every permitted call; the log verifies; agents go on with the same URL
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { after, test } from 'node:test';
import { Gateway, node, waitFor, writ } from '../e2e/harness.mjs';

const kills = Number(process.env.WRIT_KILLS ?? 5);
const agents = 3;
const gw = new Gateway();
// The sockets' folder on tmpfs, as installed: outcomes are answered before the disk has them. Without one they wait for it.
const runtime = existsSync('/dev/shm') ? mkdtempSync('/dev/shm/writ-kill-') : null;
if (runtime) symlinkSync(runtime, gw.path('run'));
after(async () => {
  await gw.close();
  if (runtime) rmSync(runtime, { recursive: true });
});

const lines = (name) => (existsSync(gw.path(name)) ? readFileSync(gw.path(name), 'utf8').split('\n').filter(Boolean) : []);

// Calls with ids of its own, one after the other, each once; writes down what was acknowledged and what failed.
const agent = (name) => `
import { appendFileSync } from 'node:fs';
const url = process.env.WRIT_MCP_URL;
let headers = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
const post = async (body) => {
  const r = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body), signal: AbortSignal.timeout(20000) });
  return { status: r.status, session: r.headers.get('mcp-session-id'), json: await r.json().catch(() => null) };
};
const start = async () => {
  delete headers['mcp-session-id'];
  const r = await post({ jsonrpc: '2.0', id: 0, method: 'initialize', params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'k', version: '1' } } });
  if (r.status !== 200) throw new Error('initialize ' + r.status);
  headers['mcp-session-id'] = r.session;
  headers['mcp-protocol-version'] = '2025-11-25';
};
let ready = false, stop = false;
process.on('SIGTERM', () => { stop = true; });
for (let n = 0; !stop; n++) {
  const id = '${name}-' + n;
  try {
    if (!ready) { await start(); ready = true; }
    const r = await post({ jsonrpc: '2.0', id: n + 1, method: 'tools/call', params: { name: 'echo__a', arguments: { id } } });
    const receipt = r.json?.result?._meta?.['dev.writ/receipt'];
    if (r.status === 404) { ready = false; appendFileSync(${JSON.stringify(gw.path(`failed-${name}`))}, id + ' not sent\\n'); continue; }
    if (receipt && !r.json.result.isError) appendFileSync(${JSON.stringify(gw.path(`acked-${name}`))}, JSON.stringify({ id, index: receipt.index, event: receipt.event }) + '\\n');
    else appendFileSync(${JSON.stringify(gw.path(`failed-${name}`))}, id + ' ' + r.status + ' ' + JSON.stringify(r.json) + '\\n');
    if (r.status === 401) process.exit(3);
  } catch (e) {
    appendFileSync(${JSON.stringify(gw.path(`failed-${name}`))}, id + ' ' + e.message + '\\n');
    await new Promise((done) => setTimeout(done, 20));
  }
}
process.exit(0);
`;

test(`${kills} kills of the gateway under load`, { timeout: 60_000 + kills * 10_000 }, async () => {
  gw.configure(`
${gw.server('echo')}
[[servers.tools]]
name = "a"
effect = "write"
resource = "test://{id}"
${gw.domain('echo', 'test://*')}`, { bearer: false });
  gw.policy('permit (principal, action, resource);');
  gw.task('[budget]\ncalls = 1000000\n[[grants]]\ntools = ["echo/*"]\n');
  await gw.up();
  const running = [];
  for (let i = 0; i < agents; i++) {
    gw.write(`agent-${i}.mjs`, agent(`a${i}`));
    const child = spawn(writ, ['--config', gw.path('writ.toml'), 'run', '--task', gw.path('task.toml'), '--', node, gw.path(`agent-${i}.mjs`)],
      { stdio: ['ignore', 'ignore', 'pipe'] });
    let err = '';
    child.stderr.on('data', (d) => { err += d; });
    gw.children.push(child);
    running.push({ child, err: () => err, acked: () => lines(`acked-a${i}`), name: `a${i}` });
  }
  const progress = (from) => waitFor(() => {
    for (const r of running) assert.equal(r.child.exitCode, null, `writ run of ${r.name} ended: ${r.err()} ${lines(`failed-${r.name}`).slice(-3)} ${gw.log}`);
    return running.every((r, i) => r.acked().length > from[i] + 3);
  }, 'every agent to get answers');
  let found = 0;
  const counts = () => running.map((r) => r.acked().length);
  await progress(counts());
  for (let kill = 0; kill < kills; kill++) {
    await new Promise((done) => setTimeout(done, Math.random() * 300));
    await gw.down('SIGKILL');
    await gw.up();
    await progress(counts());
    if (/had accepted were written/.test(gw.log)) found++;
  }
  const tasks = running.map((r) => /task ([0-9a-f-]{36})/.exec(r.err())[1]);
  for (const r of running) r.child.kill('SIGTERM');
  const spent = [];
  for (const task of tasks) spent.push((await gw.json('task', 'show', task)).json.spent.calls);
  for (const r of running) await waitFor(() => r.child.exitCode !== null, 'the agents to end');
  await gw.down();

  const verified = await gw.json('evidence', 'verify');
  assert.equal(verified.code, 0, JSON.stringify(verified.json));
  const log = (await gw.cli('--json', 'evidence', 'tail', '-n', '10000000')).out.trim().split('\n').map((l) => JSON.parse(l));
  const decided = new Map(), ended = new Map(), byTask = new Map();
  for (const e of log) {
    if (e.type === 'call.decided' && e.data.kind === 'permit') {
      const id = e.data.resource.slice('test://'.length);
      assert.ok(!decided.has(id), `${id} was decided twice`);
      decided.set(id, e);
      byTask.set(e.task, (byTask.get(e.task) ?? 0) + 1);
    }
    if (e.type === 'call.ended') ended.set(e.call, [...(ended.get(e.call) ?? []), e]);
  }
  const received = lines('echo.log').map((l) => JSON.parse(l)).filter((m) => m.method === 'tools/call').map((m) => m.params.arguments.id);
  assert.equal(new Set(received).size, received.length, 'nothing reaches the upstream twice');
  for (const id of received) assert.ok(decided.has(id), `${id} reached the upstream without a decision in the log`);
  let acked = 0, unknown = 0;
  for (const r of running)
    for (const line of r.acked()) {
      const { id, index, event } = JSON.parse(line);
      acked++;
      assert.equal(log[index]?.id, event, `the receipt of ${id} is in the log`);
      assert.equal(decided.get(id)?.id, event);
      assert.equal(ended.get(decided.get(id).call)?.[0]?.data.status, 'ok', `${id} was acknowledged`);
      assert.ok(received.includes(id), `${id} was acknowledged and never reached the upstream`);
    }
  for (const [id, e] of decided) {
    const ends = ended.get(e.call) ?? [];
    assert.equal(ends.length, 1, `${id} has ${ends.length} ends`);
    if (ends[0].data.status === 'unknown') unknown++;
  }
  tasks.forEach((task, i) => assert.ok(spent[i] >= byTask.get(task) - 2, `task ${i}: ${spent[i]} spent, ${byTask.get(task)} permitted`));
  for (const e of log.filter((x) => x.type === 'task.ended')) assert.ok(e.data.calls >= byTask.get(e.task), 'budgets never under-count');
  const sealed = log.filter((e) => e.type === 'session.sealed');
  assert.deepEqual(sealed.map((e) => e.data.reason), running.map(() => 'completed'), 'one session each from the first call to the last');
  console.log(`${kills} kills: ${acked} acknowledged, ${decided.size} decided, ${received.length} received, ${unknown} unknown, ${log.length} events, ${found} starts wrote down what the run before had accepted`);
});
