// A gateway that is stopped or killed and comes back: tasks, budgets, sessions and listeners go on; what was in flight is recorded
// as unknown; who does not come back in time is sealed and ended, on the record.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { Gateway, connect, fakeServer, post, waitFor } from './harness.mjs';

const gateways = [];
after(async () => { for (const gw of gateways) await gw.close(); });

function gateway(extra = '') {
  const gw = new Gateway();
  gateways.push(gw);
  gw.configure(`
${gw.server('echo')}
${gw.server('hangs', 'hang')}
${gw.domain('all', 'echo/*', 'hangs/*')}`, { extra });
  gw.policy('permit (principal, action, resource);');
  gw.task('deadline = "10m"\n[budget]\ncalls = 12\n[[grants]]\ntools = ["echo/*", "hangs/*"]\n');
  return gw;
}
const events = async (gw) => (await gw.cli('--json', 'evidence', 'tail', '-n', '100000')).out.split('\n').filter((l) => l).map((l) => JSON.parse(l));
// The events that `wanted` names, once they are published: that is a moment after they are durable.
const published = async (gw, wanted) => {
  let found = [];
  await waitFor(async () => (found = (await events(gw)).filter(wanted)).length > 0, 'the event to be published');
  return found;
};
const verify = async (gw) => {
  const verified = await gw.json('evidence', 'verify');
  assert.equal(verified.code, 0, JSON.stringify(verified.json));
  return verified.json;
};

test('kill -9: a bearer session, its task and its budget go on, and no receipt is lost', async () => {
  const gw = gateway();
  const receipts = [];
  let held;
  for (let round = 0; round < 3; round++) {
    await gw.up();
    // The address is part of a writ's audience: it stays.
    if (!held) gw.write('writ.toml', readFileSync(gw.path('writ.toml'), 'utf8').replace('127.0.0.1:0', gw.status.agents));
    held ??= await gw.bearer(gw.path('task.toml'));
    const agent = await connect(gw.mcp, { authorization: `Bearer ${held.token}` });
    for (let i = 0; i < 4; i++) {
      const r = await agent.tool('echo__a', { round, i });
      assert.equal(r.status, 200, r.text);
      receipts.push(r.json.result._meta['dev.writ/receipt']);
    }
    await gw.down('SIGKILL');
  }
  await gw.up();
  const shown = await gw.json('task', 'show', held.task);
  assert.equal(shown.json.spent.calls, 12);
  const agent = await connect(gw.mcp, { authorization: `Bearer ${held.token}` });
  const over = await agent.tool('echo__a', {});
  assert.match(over.json.result.content[0].text, /budget/, 'the budget is not renewed by a restart');
  assert.equal((await gw.cli('task', 'revoke', held.task)).code, 0);
  assert.equal((await agent.tool('echo__a', {})).status, 401);
  await gw.down('SIGKILL');
  await gw.up();
  assert.equal((await post(gw.mcp, '{"jsonrpc":"2.0","id":1,"method":"ping"}', { authorization: `Bearer ${held.token}` })).status, 401, 'nothing revives what is dead');
  await gw.down();
  assert.equal((await verify(gw)).open_sessions, 0);
  const log = await events(gw);
  for (const receipt of receipts) assert.equal(log[receipt.index].id, receipt.event, 'a receipt handed out is kept');
  const sealed = log.filter((e) => e.type === 'session.sealed');
  assert.equal(sealed.length, 1);
  assert.equal(sealed[0].data.calls, 13);
  assert.equal(sealed[0].data.reason, 'revoked');
});

test('a tool server may tidy up when its task ends or the gateway stops, and not when its task is revoked', async () => {
  const gw = new Gateway();
  gateways.push(gw);
  const file = gw.path('own.log');
  gw.configure(`[[servers]]\nname = "own"\ncommand = ["${fakeServer}", "tidy", "${file}"]\n${gw.domain('all', 'own/*')}`);
  gw.policy('permit (principal, action, resource);');
  gw.task('[[grants]]\ntools = ["own/*"]\n');
  await gw.up();
  const tidied = () => readFileSync(file, 'utf8').split('tidied up').length - 1;
  const begin = async () => {
    const held = await gw.bearer(gw.path('task.toml'));
    const agent = await connect(gw.mcp, { authorization: `Bearer ${held.token}` });
    assert.equal((await agent.tool('own__a', {})).status, 200);
    return held.task;
  };
  const running = async () => JSON.parse((await gw.api('GET', 'catalog')).body).health[0].instances;
  await waitFor(() => tidied() === 1, 'the instance that listed the tools to tidy up');
  const [ended, revoked] = [await begin(), await begin()];
  assert.equal((await gw.cli('task', 'end', ended)).code, 0);
  await waitFor(() => tidied() === 2, 'the instance of an ended task to tidy up');
  assert.equal((await gw.cli('task', 'revoke', revoked)).code, 0);
  await waitFor(async () => await running() === 0, 'the instance of a revoked task to end');
  await begin();
  const last = await begin();
  assert.equal((await gw.cli('task', 'revoke', last)).code, 0);
  const begun = Date.now();
  await gw.down();
  assert.ok(Date.now() - begun < 5000, 'servers that go when they are asked do not hold up the stop');
  assert.equal(tidied(), 3);
});

for (const signal of ['SIGTERM', 'SIGKILL']) {
  test(`${signal}: the agent of writ run goes on with the same URL and the same session`, async () => {
    const gw = gateway();
    await gw.up();
    const run = await gw.run(gw.path('task.toml'));
    let agent = await connect(run.url);
    assert.equal((await agent.tool('echo__a', { n: 1 })).status, 200);
    await gw.down(signal);
    const waiting = post(run.url, '{"jsonrpc":"2.0","id":1,"method":"ping"}'); // while nobody is there
    await gw.up();
    assert.equal((await waiting).status, 400, 'it waited for the gateway and was answered');
    agent = await connect(run.url);
    assert.equal((await agent.tool('echo__a', { n: 2 })).status, 200);
    assert.equal((await gw.json('task', 'show', run.task)).json.spent.calls, 2);
    assert.equal(await run.stop(), 0);
    await waitFor(async () => (await events(gw)).some((e) => e.type === 'task.ended'), 'the end of the task');
    await gw.down();
    assert.equal((await verify(gw)).open_sessions, 0);
    const log = await events(gw);
    const started = log.filter((e) => e.type === 'session.started');
    assert.equal(started.length, 1);
    const chain = log.filter((e) => e.session === started[0].session).map((e) => e.type);
    assert.deepEqual(chain.filter((t) => t === 'session.sealed' || t === 'identity.renewed'), ['identity.renewed', 'session.sealed']);
    assert.equal(log.find((e) => e.type === 'session.sealed').data.reason, 'completed');
  });
}

test('a stop right after SIGHUP waits for the reload', async () => {
  const gw = gateway();
  await gw.up();
  // More than a policy set may have: where nothing is in flight a stop takes a second, finding that out takes longer.
  for (let file = 0; file < 3; file++) {
    const rules = Array.from({ length: 90_000 }, (_, i) => `permit (principal, action, resource) when { context.task.purpose == "p${i}" };\n`);
    gw.write(`policies/many-${file}.cedar`, rules.join(''));
  }
  gw.process.kill('SIGHUP');
  await new Promise((done) => setTimeout(done, 30)); // the policies are being read
  await gw.down();
  assert.match(gw.log, / reload: /, 'it says how the reload ended');
});

test('what was in flight is recorded as unknown, and never sent again', async () => {
  const gw = gateway();
  await gw.up();
  const run = await gw.run(gw.path('task.toml'));
  const agent = await connect(run.url);
  const lost = agent.tool('hangs__a', { only: 'once' }).catch((e) => e);
  const received = () => (existsSync(gw.path('hangs.log')) ? readFileSync(gw.path('hangs.log'), 'utf8').split('"only"').length - 1 : 0);
  await waitFor(() => received() === 1, 'the call to leave');
  await gw.down('SIGKILL');
  await lost;
  await gw.up();
  const [decided] = await published(gw, (e) => e.type === 'call.decided');
  const ended = await published(gw, (e) => e.type === 'call.ended' && e.call === decided.call);
  assert.equal(ended.length, 1);
  assert.equal(ended[0].data.status, 'unknown');
  assert.equal(ended[0].session, decided.session, 'in the chain of its session');
  assert.equal(received(), 1);
  assert.equal((await gw.json('task', 'show', run.task)).json.spent.calls, 1, 'it counts');
  await run.stop();
});

test('who does not come back in time is sealed, and the task ends', async () => {
  const gw = gateway('resume_grace = "1s"');
  await gw.up();
  const run = await gw.run(gw.path('task.toml'));
  await gw.down('SIGKILL');
  run.child.kill('SIGKILL');
  await gw.up();
  await waitFor(async () => (await events(gw)).some((e) => e.type === 'task.ended'), 'the end of the task');
  const log = await events(gw);
  assert.equal(log.find((e) => e.type === 'session.sealed').data.reason, 'crashed');
  assert.match(log.find((e) => e.type === 'task.ended').data.reason, /nobody came back/);
  await gw.down();
  assert.equal((await verify(gw)).open_sessions, 0);
});

test('another process cannot take a session over, whatever it knows', async () => {
  const gw = gateway();
  await gw.up();
  const run = await gw.run(gw.path('task.toml'));
  const [session] = await published(gw, (e) => e.type === 'session.started');
  const { connect: dial } = await import('node:net');
  const ask = (request) => new Promise((done) => {
    const socket = dial(gw.path('run/agents.sock'));
    let text = '';
    socket.on('data', (d) => { text += d; });
    socket.on('close', () => done(text));
    socket.write(`${JSON.stringify(request)}\n`);
  });
  const path = new URL(run.url).pathname;
  assert.match(await ask({ op: 'resume', pid: run.child.pid, session: session.session, path, resume: '0'.repeat(64) }), /"error"/);
  assert.ok(!JSON.stringify(session).includes(path.split('/')[1]), 'the path is no part of the evidence');
  assert.equal((await connect(run.url).then((a) => a.tool('echo__a', {}))).status, 200, 'and the session is unharmed');
  await run.stop();
});
