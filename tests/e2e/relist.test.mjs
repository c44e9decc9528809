// A tool server that says without end that its tools changed: nothing of the gateway grows with it, and what did change is still seen.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { Gateway, connect, node, waitFor } from './harness.mjs';

const gw = new Gateway();
after(() => gw.close());

// Lists `a`, described as the file `words` says, and 40 tools that cannot be used; says 50 times a second that they changed.
const script = (words, log) => `
const { appendFileSync, existsSync, readFileSync } = require('fs');
const say = (m) => process.stdout.write(JSON.stringify({ jsonrpc: '2.0', ...m }) + '\\n');
require('readline').createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, method, params } = JSON.parse(line);
  if (method === 'initialize') say({ id, result: { protocolVersion: params.protocolVersion, capabilities: { tools: { listChanged: true } }, serverInfo: { name: 'nags', version: '1' } } });
  if (method === 'tools/list') {
    appendFileSync(${JSON.stringify(log)}, 'x');
    const a = { name: 'a', description: existsSync(${JSON.stringify(words)}) ? readFileSync(${JSON.stringify(words)}, 'utf8') : 'kind', inputSchema: { type: 'object' } };
    say({ id, result: { tools: [a, ...Array.from({ length: 40 }, () => ({}))] } });
  }
  if (method === 'tools/call') say({ id, result: { content: [{ type: 'text', text: 'fine' }] } });
}).on('close', () => process.exit(0));
setInterval(() => say({ method: 'notifications/tools/list_changed' }), 20);
`;

test('a server that says without end that its tools changed', async () => {
  const words = gw.path('words'), log = gw.path('listings');
  const file = gw.write('nags.cjs', script(words, log));
  gw.configure(`[[servers]]\nname = "nags"\ncommand = ["${node}", "${file}"]\n` + gw.domain('all', 'nags/*'));
  gw.policy('permit (principal, action, resource);');
  gw.task('[[grants]]\ntools = ["nags/*"]\n');
  await gw.up();
  const events = async (type) => (await gw.cli('--json', 'evidence', 'tail', '-n', '100000')).out.trim().split('\n').map((l) => JSON.parse(l)).filter((e) => e.type === type);
  const listings = () => (existsSync(log) ? readFileSync(log, 'utf8').length : 0);
  const agents = [];
  for (let i = 0; i < 4; ++i) agents.push(await connect(gw.mcp, { authorization: `Bearer ${(await gw.bearer(gw.path('task.toml'))).token}` }));
  // Each has an instance of its own from now on.
  for (const agent of agents) assert.notEqual((await agent.tool('nags__a', {})).json.result?.isError, true);
  const before = listings();
  await new Promise((done) => setTimeout(done, 4000));
  const during = listings() - before;
  assert.ok(during >= 1 && during <= 4, `${during} listings of four instances in four seconds`);
  for (const agent of agents) assert.notEqual((await agent.tool('nags__a', {})).json.result?.isError, true);

  await waitFor(async () => (await events('call.decided')).length === 8, 'the decisions to be published');
  const epochs = (await events('call.decided')).map((e) => e.data.facts.find((f) => f.k === 'policy_epoch').v);
  assert.equal(new Set(epochs).size, 1, `the policies are made ready once: ${epochs}`);
  assert.equal((await events('tool.list')).length, 1, 'one list, one event');
  const complaints = gw.log.split('\n').filter((l) => l.includes('server nags:'));
  assert.equal(complaints.length, 9, complaints.join('\n'));
  assert.match(complaints[8], /32 more of its tools are not usable/);

  writeFileSync(words, 'another');
  const told = async () => (await agents[0].tool('nags__a', {})).text;
  await waitFor(async () => /definition changed/.test(await told()), 'the change to be noticed', 2000);
  await waitFor(async () => (await events('tool.list')).length === 2, 'the change to be recorded');
  assert.deepEqual((await events('tool.list'))[1].data.changed.map((c) => c.tool), ['a']);
});
