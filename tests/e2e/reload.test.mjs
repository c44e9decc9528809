// `writ reload` and SIGHUP on a running gateway under load: a bad configuration changes nothing and says where it is wrong; a good
// one decides the next call; nothing falls between the two; decisions of before can still be computed again.
import assert from 'node:assert/strict';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { Gateway, connect, fakeServer, npm, post, waitFor } from './harness.mjs';

const require = createRequire(join(npm, 'package.json'));
const sdk = (path) => import(pathToFileURL(require.resolve(`@modelcontextprotocol/sdk/${path}`)));
const { Client } = await sdk('client/index.js');
const { StreamableHTTPClientTransport } = await sdk('client/streamableHttp.js');
const { ToolListChangedNotificationSchema } = await sdk('types.js');

const gw = new Gateway();
after(() => gw.close());
const allowAll = 'permit (principal, action, resource);\n';
const forbidB = `${allowAll}forbid (principal, action == Writ::Action::"echo/b", resource);\n`;
const onlyA = 'permit (principal, action == Writ::Action::"echo/a", resource);\n';

const server = (name, more = '') => `[[servers]]
name = "${name}"
command = ["${fakeServer}", "echo", "${gw.path(`${name}.log`)}"]
shared = true
${more}`;
const agents = (...names) => names.map((n) => `[[agents]]\nname = "${n}"\nowner = "alice"\n`).join('');
const domains = '[[domains]]\nname = "all"\nsensitivity = "internal"\nresources = ["echo/*", "late/*"]\n';
let listen = '127.0.0.1:0';
const configure = (text = server('echo') + domains + agents('spare')) => gw.configure(text, { listen });
const task = (name, agent, grants = '"echo/*", "late/*"') => gw.write(name,
  `agent = "${agent}"\nsubject = "person:alice"\npurpose = "t"\nprompt = "t"\n[[grants]]\ntools = [${grants}]\n`);
const events = async (type) => (await gw.cli('--json', 'evidence', 'tail', '-n', '1000000')).out.split('\n').filter(Boolean)
  .map((l) => JSON.parse(l)).filter((e) => e.type === type);
const policySet = async () => JSON.parse((await gw.api('GET', 'status')).body).policy_set;

const answered = (r) => r.json.result && !r.json.result.isError;

let agent, held, sdkClient, listChanged = 0;
// Callers that never pause: what they get back, by kind.
const seen = { ok: 0, refused: 0, other: [] };
let loading = true, load;

before(async () => {
  configure();
  gw.policy(allowAll);
  task('task.toml', 'bot');
  await gw.up();
  listen = gw.status.agents;
  configure();
  held = await gw.bearer(gw.path('task.toml'));
  const headers = { authorization: `Bearer ${held.token}` };
  agent = await connect(gw.mcp, headers);
  const transport = new StreamableHTTPClientTransport(new URL(gw.mcp), { requestInit: { headers } });
  sdkClient = new Client({ name: 'e2e', version: '1' });
  sdkClient.setNotificationHandler(ToolListChangedNotificationSchema, () => { listChanged++; });
  await sdkClient.connect(transport);
  const one = async () => {
    const caller = await connect(gw.mcp, headers);
    while (loading) {
      const r = await caller.tool('echo__a', {});
      if (r.status === 200 && r.json?.result && !r.json.result.isError) seen.ok++;
      else if (r.status === 200 && /rules changed|policies changed|not permitted|still starting/.test(r.text)) seen.refused++;
      else seen.other.push(`${r.status} ${r.text.slice(0, 300)}`);
    }
  };
  load = [one(), one(), one()];
});

test('a bad configuration changes nothing and says where it is wrong', async () => {
  const file = gw.path('writ.toml'), policy = gw.path('policies/test.cedar');
  const good = { config: readFileSync(file, 'utf8'), policy: readFileSync(policy, 'utf8') };
  const set = await policySet();
  const bad = [
    ['broken TOML', () => writeFileSync(file, `${good.config}\n[[agents\n`), 2, /writ\.toml.*\d+/],
    ['a misspelt key', () => writeFileSync(file, good.config.replace('owner =', 'ownr =')), 2, /ownr/],
    ['half a file', () => writeFileSync(file, good.config.slice(0, good.config.indexOf('command') + 12)), 2, /writ\.toml/],
    ['no file', () => renameSync(file, `${file}.away`), 1, /cannot read the configuration/],
    ['two servers of one name', () => writeFileSync(file, good.config + server('echo')), 2, /there twice/],
    ['a template that is none', () => writeFileSync(file, good.config.replace('shared = true', 'shared = true\n[[servers.tools]]\nname = "a"\nresource = "x://{"\n')), 2, /echo/],
    ['policies with a syntax error', () => writeFileSync(policy, `${allowAll}permit (principal, action`), 2, /test\.cedar/],
    ['policies that do not fit the tools', () => writeFileSync(policy, 'permit (principal, action == Writ::Action::"echo/a", resource) when { context.nothing.here };'), 2, /test\.cedar/],
    ['a policy file half written', () => writeFileSync(policy, 'permit (principal, action, resource);\0\0'), 2, /NUL/],
    ['no policy folder', () => renameSync(gw.path('policies'), gw.path('policies.away')), 1, /policies/],
    ['another data folder', () => writeFileSync(file, good.config.replace('data = "state"', 'data = "other"')), 1, /needs a restart: data/],
    ['another listener and trust domain', () => writeFileSync(file, good.config.replace('bearer = true', 'bearer = false').replace('e2e.local', 'x.local')), 1, /needs a restart: trust_domain, listen\.bearer/],
  ];
  for (const [what, spoil, code, says] of bad) {
    spoil();
    for (const args of [['reload', '--check'], ['reload']]) {
      // The verb finds the socket without the broken file.
      const r = await gw.cli('--socket', gw.path('run/operators.sock'), ...args);
      assert.equal(r.code, code, `${what}: ${r.out}${r.err}`);
      assert.match(r.err, says, what);
    }
    try { renameSync(`${file}.away`, file); } catch { /* was not away */ }
    try { renameSync(gw.path('policies.away'), gw.path('policies')); } catch { /* was not away */ }
    writeFileSync(file, good.config);
    writeFileSync(policy, good.policy);
    assert.equal((await agent.tool('echo__b', {})).json.result.isError ?? false, false, what);
    assert.equal(await policySet(), set, what);
  }
  const same = await gw.json('reload');
  assert.equal(same.code, 0);
  assert.deepEqual([same.json.applied, same.json.changes], [false, []]);
  assert.equal((await events('config.changed')).length, 0, 'what was not changed is not recorded as changed');
});

test('a good one decides the next call, is recorded with who and what, and what was decided before can be computed again', async () => {
  const before = await agent.tool('echo__b', {});
  const receipt = before.json.result._meta['dev.writ/receipt'];
  gw.policy(forbidB);
  const checked = await gw.json('reload', '--check');
  assert.deepEqual([checked.code, checked.json.applied, checked.json.changes], [0, false, ['policy test.cedar: changed']]);
  assert.equal((await agent.tool('echo__b', {})).json.result.isError ?? false, false, '--check changes nothing');
  const done = await gw.json('reload');
  assert.equal(done.code, 0, done.out);
  assert.equal(done.json.applied, true);
  const refused = await agent.tool('echo__b', {});
  assert.equal(refused.json.result.isError, true, refused.text);
  assert.equal(await policySet(), done.json.policy_set);
  const after = refused.json.result._meta['dev.writ/receipt'];
  await waitFor(async () => (await gw.cli('evidence', 'replay', after.event)).code !== 1, 'the decision to be published');
  for (const [event, verdict] of [[receipt.event, 'permit'], [after.event, 'forbid']]) {
    const replayed = await gw.json('evidence', 'replay', event);
    assert.equal(replayed.code, 0, replayed.out);
    assert.deepEqual([replayed.json.result, replayed.json.computed.verdict], ['same', verdict]);
  }
  const [rules] = await events('policy.changed'), [config] = await events('config.changed');
  assert.equal(rules.data.policy_set, done.json.policy_set);
  assert.equal(rules.data.previous, done.json.previous);
  assert.deepEqual(config.data.what, ['policy test.cedar: changed']);
  for (const e of [rules, config]) assert.match(JSON.stringify(e.actor), /ps:[0-9a-f]{16}/, 'a person, under a pseudonym');
});

test('an agent with an open stream is told when its tools change', async () => {
  gw.policy(allowAll);
  assert.equal((await gw.cli('reload')).code, 0);
  assert.equal((await sdkClient.listTools()).tools.length, 2);
  const told = listChanged;
  gw.policy(onlyA);
  assert.equal((await gw.cli('reload')).code, 0);
  await waitFor(() => listChanged > told, 'tools/list_changed');
  assert.deepEqual((await sdkClient.listTools()).tools.map((t) => t.name), ['echo__a']);
  assert.equal((await agent.tool('echo__b', {})).json.result.isError, true, 'granted, and not permitted by any policy');
});

test('servers come, change and go; limits and rules apply to the next call', async () => {
  gw.policy(allowAll);
  configure(server('echo', '[[servers.tools]]\nname = "a"\neffect = "send"\n') + server('late') + domains + agents('spare'));
  const r = await gw.json('reload');
  assert.equal(r.code, 0, r.out);
  assert.deepEqual(r.json.changes, ['policy test.cedar: changed', 'server echo: tools', 'server late: new']);
  await waitFor(async () => (await sdkClient.listTools()).tools.length === 4, 'the new server to answer');
  assert.equal((await agent.tool('late__a', {})).json.result.isError ?? false, false);
  const shown = JSON.parse((await gw.api('GET', 'catalog/echo/a')).body);
  assert.equal(shown.effect, 'send');
  // Another log file is another command: the old instance goes, a new one comes.
  configure(server('echo').replace('echo.log', 'echo2.log') + domains + agents('spare'));
  assert.deepEqual((await gw.json('reload')).json.changes, ['server echo: command, tools', 'server late: gone']);
  assert.equal((await agent.tool('late__a', {})).json.error.code, -32602);
  await waitFor(async () => answered(await agent.tool('echo__a', { x: 'second' })), 'the changed server to answer');
  assert.match(readFileSync(gw.path('echo2.log'), 'utf8'), /second/);
  assert.doesNotMatch(readFileSync(gw.path('echo.log'), 'utf8'), /second/);
});

test('many reloads at once wait for each other; SIGHUP does the same and says so in the log', async () => {
  configure();
  gw.policy(allowAll);
  const many = await Promise.all(Array.from({ length: 5 }, () => gw.json('reload')));
  for (const r of many) assert.equal(r.code, 0, r.out + r.err);
  assert.equal(many.filter((r) => r.json.applied).length, 1, 'one of them found something to change');
  await waitFor(async () => answered(await agent.tool('echo__a', {})), 'the server to answer');
  gw.policy(forbidB);
  const said = gw.log.length;
  gw.process.kill('SIGHUP');
  await waitFor(() => /1 changes are in force/.test(gw.log.slice(said)), 'the reload to be logged');
  assert.equal((await agent.tool('echo__b', {})).json.result.isError, true);
  await waitFor(async () => (await events('config.changed')).at(-1).data.reason === 'SIGHUP', 'the record to be published');
  gw.policy('permit (principal, act');
  gw.process.kill('SIGHUP');
  await waitFor(() => /reload.*test\.cedar/s.test(gw.log), 'the error to be logged');
  assert.equal((await agent.tool('echo__b', {})).json.result.isError, true, 'the old policies stay');
  gw.policy(allowAll);
  assert.equal((await gw.cli('reload')).code, 0);
});

test('nothing fell between old and new while servers stayed', async () => {
  loading = false;
  await Promise.all(load);
  assert.ok(seen.ok > 20, `${seen.ok} calls`);
  // While the changed server had not answered its tools were told to be starting; nothing else may have happened.
  const strange = seen.other.filter((text) => !/just changed|policies changed|its task has ended|was ended/.test(text));
  assert.deepEqual(strange, []);
});

test('an agent that is registered no more is out at once; a viewer may not reload', async () => {
  task('spare.toml', 'spare');
  const spare = await gw.bearer(gw.path('spare.toml'));
  const other = await connect(gw.mcp, { authorization: `Bearer ${spare.token}` });
  assert.equal((await other.tool('echo__a', {})).status, 200);
  const uid = process.getuid();
  configure(server('echo') + domains + `[[people]]\nlogin = "eve"\nuid = ${uid}\nroles = ["viewer", "launcher"]\n`);
  const r = await gw.json('reload');
  assert.equal(r.code, 0, r.out);
  assert.equal(r.json.tasks_ended, 1);
  assert.equal((await other.tool('echo__a', {})).status, 401);
  assert.equal((await gw.json('task', 'show', spare.task)).json.state, 'revoked');
  assert.equal((await gw.cli('task', 'start', gw.path('spare.toml'))).code, 1, 'nor can it be started');
  assert.equal((await agent.tool('echo__a', {})).json.result.isError ?? false, false, 'the others go on');
  const refused = await gw.cli('reload');
  assert.equal(refused.code, 1);
  assert.match(refused.err, /no role/);
  await sdkClient.close();
  await gw.down();
  assert.equal((await gw.json('evidence', 'verify')).code, 0);
  assert.equal((await post(gw.mcp, '{}').catch(() => ({ status: 0 }))).status, 0);
});
