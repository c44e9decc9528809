// A gateway killed without warning: what it acknowledged is in the log, its sessions are sealed and its tasks ended at the next
// start, and none of their writs lives on.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Gateway, connect, fakeServer, post } from './harness.mjs';

const gw = new Gateway();
after(() => gw.close());

test('kill -9 with live sessions leaves a log that verifies, and revives nothing', async () => {
  gw.configure(`
[[servers]]
name = "echo"
command = ["${fakeServer}", "echo", "${gw.path('echo.log')}"]
shared = true
[[domains]]
name = "echo"
sensitivity = "internal"
resources = ["echo/*"]
`);
  gw.policy('permit (principal, action, resource);');
  gw.task('[[grants]]\ntools = ["echo/*"]\n');
  const receipts = [];
  let last;
  for (let round = 0; round < 3; round++) {
    await gw.up();
    if (last) assert.equal((await post(gw.mcp, '{"jsonrpc":"2.0","id":1,"method":"ping"}', { authorization: `Bearer ${last.token}` })).status, 401);
    last = await gw.bearer(gw.path('task.toml'));
    const agent = await connect(gw.mcp, { authorization: `Bearer ${last.token}` });
    for (let i = 0; i < 5; i++) {
      const r = await agent.tool('echo__a', { round, i });
      receipts.push(r.json.result._meta['dev.writ/receipt']);
    }
    await gw.down('SIGKILL');
  }
  await gw.up();
  await gw.down();
  const verified = await gw.json('evidence', 'verify');
  assert.equal(verified.code, 0, JSON.stringify(verified.json));
  assert.equal(verified.json.open_sessions, 0);
  const lines = (await gw.cli('--json', 'evidence', 'tail', '-n', '100000')).out.trim().split('\n');
  for (const receipt of receipts) assert.equal(JSON.parse(lines[receipt.index]).id, receipt.event, 'a receipt handed out is kept');
  const trace = await gw.cli('evidence', 'trace', last.task);
  assert.match(trace.out, /crashed/);
  assert.match(trace.out, /stopped without warning/);
});
