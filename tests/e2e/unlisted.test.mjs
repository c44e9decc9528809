// A server that has never listed its tools, and one that asks the client for something in an error: what an agent sees of
// them, and what the log says.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { connect, fakeServer, Gateway, waitFor } from './harness.mjs';

const gw = new Gateway();
after(() => gw.close());

test('a granted server that has never listed is there, without tools; others are not', async () => {
  const server = (name, mode) => `[[servers]]\nname = "${name}"\ncommand = ["${fakeServer}", "${mode}", "${gw.path(`${name}.log`)}"]\nshared = true\n`;
  gw.configure(server('mute', 'mute') + server('hidden', 'mute') + server('signin', 'signin'));
  gw.policy('permit (principal, action, resource);');
  gw.task('[[grants]]\ntools = ["mute/*", "signin/*"]\n');
  await gw.up();
  const { token } = await gw.bearer(gw.path('task.toml'));
  const authorization = `Bearer ${token}`;
  const agent = await connect(`${gw.mcp}/mute`, { authorization });
  assert.deepEqual((await agent.call('tools/list', {})).json.result.tools, []);
  await assert.rejects(connect(`${gw.mcp}/hidden`, { authorization }), /404/);
  await assert.rejects(connect(`${gw.mcp}/nobody`, { authorization }), /404/);
});

test('a link for a person in error -32042 stays here, on the record', async () => {
  const { task, token } = await gw.bearer(gw.path('task.toml'));
  const agent = await connect(gw.mcp, { authorization: `Bearer ${token}` });
  const answer = await agent.tool('signin__a', {});
  assert.equal(answer.json.result?.isError, true, answer.text);
  assert.doesNotMatch(answer.text, /32042|phish/);
  const lines = async () => (await gw.cli('--json', 'evidence', 'tail', '-n', '1000')).out.trim().split('\n').map((l) => JSON.parse(l));
  const inward = async () => (await lines()).filter((e) => e.type === 'call.inward' && e.task === task);
  await waitFor(async () => (await inward()).length > 0, 'the request on the record');
  assert.deepEqual((await inward()).map((e) => [e.data.method, e.data.kind]), [['elicitation/create', 'forbid']]);
});
