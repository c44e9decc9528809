// What a person at the operators' socket must be able to do whatever agents and strangers do meanwhile.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { connect as dial } from 'node:net';
import { after, test } from 'node:test';
import { connect, echoGateways, waitFor } from './harness.mjs';

const gateway = echoGateways(after);

test('many tasks with long prompts are listed', async () => {
  const gw = gateway();
  await gw.up();
  const prompt = 'p'.repeat(64 << 10);
  const grants = [{ tools: Array.from({ length: 128 }, (_, i) => `echo/${i}${'t'.repeat(50)}`) }];
  for (let i = 0; i < 90; ++i) {
    const body = JSON.stringify({ agent: 'bot', subject: 'person:alice', purpose: `number ${i}`, prompt, grants });
    assert.equal((await gw.api('POST', 'tasks', body)).status, 201);
  }
  const listed = await gw.json('task', 'list');
  assert.equal(listed.code, 0, listed.err);
  assert.equal(listed.json.schema, 'writ.tasks/2');
  assert.deepEqual(listed.json.tasks.map((t) => t.purpose), Array.from({ length: 90 }, (_, i) => `number ${89 - i}`));
  assert.ok(listed.json.tasks.every((t) => t.prompt === undefined));
  const table = await gw.cli('task', 'list');
  assert.equal(table.code, 0, table.err);
  assert.equal(table.out.trim().split('\n').length, 91);
  const shown = await gw.json('task', 'show', listed.json.tasks[0].id);
  assert.equal(shown.json.prompt, prompt);
});

test('a catalog of 6 MB is listed, exported and shown to an agent', async () => {
  const gw = gateway();
  gw.configure(gw.server('echo', 'wordy') + gw.server('more', 'wordy'));
  gw.task('[[grants]]\ntools = ["echo/*", "more/*"]\n');
  await gw.up();
  const listed = await gw.json('catalog', 'list');
  assert.equal(listed.code, 0, listed.err);
  assert.equal(listed.json.tools.length, 60);
  const exported = await gw.cli('catalog', 'export');
  assert.equal(exported.code, 0, exported.err);
  assert.ok(exported.out.length > 6_000_000, `${exported.out.length} bytes`);
  const { token } = await gw.bearer(gw.path('task.toml'));
  const agent = await connect(gw.mcp, { authorization: `Bearer ${token}` });
  assert.equal((await agent.call('tools/list', {})).json.result.tools.length, 60);
});

test('whoever knocks at the launchers\' socket in a loop does not fill the log', async () => {
  const gw = gateway();
  await gw.up();
  const knock = () => new Promise((done) => {
    const socket = dial(gw.path('run/agents.sock'), () => socket.write('{}\n'));
    let text = '';
    socket.on('data', (d) => { text += d; socket.destroy(); });
    socket.on('error', () => {});
    socket.on('close', () => done(text));
  });
  for (let i = 0; i < 100; ++i)
    for (const answer of await Promise.all(Array.from({ length: 10 }, knock))) assert.match(answer, /one descriptor is needed/);
  await gw.down();
  const tail = await gw.cli('--json', 'evidence', 'tail', '-n', '100000');
  const refused = tail.out.trim().split('\n').map((l) => JSON.parse(l)).filter((e) => e.type === 'launch.refused');
  assert.ok(refused.length <= 5, `${refused.length} events`);
  assert.equal(refused.reduce((n, e) => n + e.data.n, 0), 1000, 'all are counted');
  assert.deepEqual([...new Set(refused.map((e) => e.data.code))], ['invalid']);
});

test('idle connections that hold every descriptor keep nobody from listing and revoking', async () => {
  const gw = gateway();
  await gw.up({ openFiles: 120 });
  const agent = await gw.run(gw.path('task.toml'));
  const crowd = [];
  const fill = (url) => {
    for (let i = 0; i < 150; ++i) {
      const socket = dial(Number(new URL(url).port), '127.0.0.1');
      socket.on('error', () => {});
      crowd.push(socket);
    }
  };
  try {
    fill(agent.url);
    fill(gw.mcp);
    await waitFor(() => readdirSync(`/proc/${gw.process.pid}/fd`).length >= 100, 'the descriptors to be taken');
    const listed = await gw.cli('task', 'list');
    assert.equal(listed.code, 0, listed.err);
    const revoked = await gw.cli('task', 'revoke', agent.task);
    assert.equal(revoked.code, 0, revoked.err);
  } finally {
    for (const socket of crowd) socket.destroy();
  }
  await agent.stop();
});

test('the gateway may open as many descriptors as the hard limit says, its tool servers as many as before', async () => {
  const gw = gateway();
  await gw.up({ softFiles: 300 });
  const limits = (pid) => /Max open files +(\d+|unlimited) +(\d+|unlimited)/.exec(readFileSync(`/proc/${pid}/limits`, 'utf8')).slice(1);
  const [soft, hard] = limits(gw.process.pid);
  assert.equal(soft, hard);
  const children = readdirSync(`/proc/${gw.process.pid}/task`).flatMap((t) => readFileSync(`/proc/${gw.process.pid}/task/${t}/children`, 'utf8').split(' ').filter(Boolean));
  assert.ok(children.length > 0);
  for (const child of children) assert.deepEqual(limits(child), ['300', hard]);
});
