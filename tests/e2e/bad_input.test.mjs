// Bad input on every path of the real binary: one clear error, the right status, evidence where it is a decision, nothing lost.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { after, before, test } from 'node:test';
import { Gateway, connect, fakeServer, post, waitFor, writ } from './harness.mjs';

const gw = new Gateway();
const server = (name, mode, extra = '') => `
[[servers]]
name = "${name}"
command = ["${fakeServer}", "${mode}", "${gw.path(`${name}.log`)}"]
shared = true
${extra}
[[domains]]
name = "${name}"
sensitivity = "internal"
resources = ["${name}/*"]
`;
let agent, auth, received;

before(async () => {
  gw.configure(server('echo', 'echo') + server('dies', 'dies') + server('garbage', 'flood') + server('stillborn', 'stillborn'));
  gw.policy('permit (principal, action, resource);');
  gw.task('[[grants]]\ntools = ["echo/*", "dies/*", "garbage/*"]\n');
  await gw.up();
  const minted = await gw.bearer(gw.path('task.toml'));
  auth = { ...minted, headers: { authorization: `Bearer ${minted.token}` } };
  agent = await connect(gw.mcp, auth.headers);
  received = () => (existsSync(gw.path('echo.log')) ? readFileSync(gw.path('echo.log'), 'utf8') : '');
});
after(() => gw.close());

const raw = (body, headers = {}) => post(gw.mcp, body, { ...agent.headers, ...headers });
const rpc = (params) => JSON.stringify({ jsonrpc: '2.0', id: 7, method: 'tools/call', params });

test('a good call passes, its argument bytes unchanged', async () => {
  const body = '{"jsonrpc":"2.0","id":"x-1","method":"tools/call","params":{"name":"echo__a","arguments":{"b": 1,  "a":"\\u0041"}}}';
  const r = await raw(body);
  assert.equal(r.status, 200, r.text);
  assert.equal(r.json.id, 'x-1');
  assert.ok(received().includes('{"b": 1,  "a":"\\u0041"}'), received());
});

const malformed = {
  'malformed JSON': ['{"jsonrpc":"2.0",', -32700],
  'duplicate keys': ['{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo__a","name":"echo__b","arguments":{"evil":1}}}', -32700],
  'duplicate keys after unescaping': ['{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo__a","arguments":{"evil":1,"\\u0065vil":2}}}', -32700],
  'invalid UTF-8': [Buffer.concat([Buffer.from('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo__a","arguments":{"evil":"'), Buffer.from([0xff]), Buffer.from('"}}}')]), -32700],
  '200-deep nesting': [`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo__a","arguments":{"evil":${'['.repeat(200)}${']'.repeat(200)}}}}`, -32700],
  'a batch': ['[{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo__a","arguments":{"evil":1}}}]', -32600],
  'a batch cut off': ['[{"jsonrpc":"2.0","id":1,', -32700],
  'a batch with duplicate keys': ['[{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo__a","arguments":{"evil":1,"evil":2}}}]', -32700],
  'a null id': ['{"jsonrpc":"2.0","id":null,"method":"tools/call","params":{"name":"echo__a","arguments":{"evil":1}}}', -32600],
  'a fractional id': ['{"jsonrpc":"2.0","id":1.5,"method":"tools/call","params":{"name":"echo__a","arguments":{"evil":1}}}', -32600],
  'positional params': ['{"jsonrpc":"2.0","id":1,"method":"tools/call","params":["echo__a",{"evil":1}]}', -32600],
  'trailing bytes': ['{"jsonrpc":"2.0","id":1,"method":"ping"} {"evil":1}', -32700],
};
for (const [what, [body, code]] of Object.entries(malformed)) {
  test(`${what}: refused, never forwarded`, async () => {
    const r = await raw(body);
    assert.equal(r.status, 400, r.text);
    assert.equal(r.json.error.code, code, r.text);
    assert.ok(!received().includes('evil'));
  });
}

test('an over-limit body is refused, and the gateway lives', async () => {
  const r = await raw(rpc({ name: 'echo__a', arguments: { evil: 'x'.repeat(2 << 20) } })).catch(() => ({ status: 413 }));
  assert.equal(r.status, 413);
  assert.equal((await agent.call('ping')).status, 200);
});

test('an unknown method and arguments that are none', async () => {
  assert.equal((await agent.call('resources/list', {})).json.error.code, -32601);
  // What the tool's schema cannot type is the policy room's to test; this tool takes any object.
  for (const args of [[{ evil: 1 }], 'evil', null, 7]) {
    const r = await raw(rpc({ name: 'echo__a', arguments: args }));
    assert.equal(r.json.error?.code, -32602, r.text);
  }
  assert.ok(!received().includes('evil'));
});

test('an upstream that dies, talks garbage or never started', async () => {
  const died = await agent.tool('dies__a', {});
  assert.ok(died.json.error || died.json.result.isError, died.text);
  const garbage = await agent.tool('garbage__a', {});
  assert.ok(garbage.json.error || garbage.json.result.isError, garbage.text);
  assert.equal((await agent.tool('stillborn__a', {})).json.error.code, -32602);
  assert.equal((await agent.tool('echo__a', { still: 'fine' })).status, 200);
});

test('foreign Host and Origin, wrong content type and accept', async () => {
  assert.equal((await raw('{"jsonrpc":"2.0","id":1,"method":"ping"}', { origin: 'https://evil.example' })).status, 403);
  assert.equal((await raw('{"jsonrpc":"2.0","id":1,"method":"ping"}', { 'content-type': 'text/plain' })).status, 415);
  assert.equal((await raw('{"jsonrpc":"2.0","id":1,"method":"ping"}', { accept: 'text/html' })).status, 406);
});

test('writs: absent, garbage, foreign, altered, revoked; a dead session id', async () => {
  const ping = '{"jsonrpc":"2.0","id":1,"method":"ping"}';
  const status = async (headers) => (await post(gw.mcp, ping, headers)).status;
  assert.equal(await status({}), 401);
  assert.equal(await status({ authorization: 'Bearer nonsense' }), 401);
  const [head, claims, signature] = auth.token.split('.');
  const forged = Buffer.from(JSON.stringify({ ...JSON.parse(Buffer.from(claims, 'base64url')), exp: 4102444800 })).toString('base64url');
  assert.equal(await status({ authorization: `Bearer ${head}.${forged}.${signature}` }), 401);
  const none = Buffer.from('{"alg":"none","typ":"at+jwt"}').toString('base64url');
  assert.equal(await status({ authorization: `Bearer ${none}.${claims}.` }), 401);
  assert.equal((await raw(ping, { 'mcp-session-id': 'A'.repeat(32) })).status, 404);

  const other = await gw.bearer(gw.path('task.toml'));
  const headers = { authorization: `Bearer ${other.token}` };
  const session = await connect(gw.mcp, headers);
  assert.equal((await session.tool('echo__a', {})).status, 200);
  assert.equal((await gw.cli('task', 'revoke', other.task, '--reason', 'test')).code, 0);
  const dead = await session.tool('echo__a', { evil: 'after' });
  assert.equal(dead.status, 401);
  assert.match(dead.headers.get('www-authenticate'), /error="invalid_token"/);
  assert.ok(!received().includes('after'));
});

test('a process that is not a launched child cannot be handed over', async () => {
  const task = await gw.json('task', 'start', gw.path('task.toml'));
  const { connect: dial } = await import('node:net');
  const line = await new Promise((done) => {
    const socket = dial(gw.path('run/agents.sock'));
    let text = '';
    socket.on('data', (d) => { text += d; });
    socket.on('close', () => done(text));
    socket.write(`${JSON.stringify({ op: 'launch', pid: 1, task: task.json.id })}\n`);
  });
  assert.match(line, /"error"/);
});

test('broken files say where, and what to write instead', async () => {
  const cases = [
    ['writ.toml', 'trust_domain = "a"\npolices = "x"\n[[agents]]\nname = "b"\nowner = "c"\n', /writ\.toml:2:1: unknown key `polices`, did you mean `policies`\?/],
    ['writ.toml', '[[agents]]\nname = "b"\n', /`agents\[0\]\.owner` is missing/],
    ['writ.toml', 'a = [1\n', /writ\.toml:\d+:\d+: /],
    ['writ.toml', '[listen]\nagents = "0.0.0.0:1"\n[[agents]]\nname = "b"\nowner = "c"\n', /loopback|127\.0\.0\.1/],
  ];
  for (const [name, text, expected] of cases) {
    const other = new Gateway();
    other.write(name, text);
    const r = await other.cli('up');
    assert.equal(r.code, 2, r.err);
    assert.match(r.err, expected);
    await other.close();
  }
  const task = gw.write('bad-task.toml', 'agent = "bot"\npurpose = "p"\nprompt = "p"\n[[grants]]\ntools = ["a/b"]\nwhen = "context.input.x =="\n');
  const started = await gw.cli('task', 'start', task);
  assert.equal(started.code, 2);
  assert.match(started.err, /bad-task\.toml:6:\d+: `when` is not a Cedar expression/);
  assert.match((await gw.cli('task', 'start', gw.write('no-agent.toml', 'agent = "nobody"\npurpose = "p"\nprompt = "p"\n[[grants]]\ntools = ["a/b"]\n'))).err, /nobody/);
  gw.write('policies/test.cedar', 'permit (principal, action, resource)\nwhen { context.input.amount <= };\n');
  const policy = await gw.cli('policy', 'check');
  assert.equal(policy.code, 2);
  assert.match(policy.err, /test\.cedar:2:\d+/);
  gw.write('policies/test.cedar', '@hodl("x") forbid (principal, action, resource);\n');
  assert.match((await gw.cli('policy', 'check')).err, /did you mean `@hold`/);
  gw.policy('permit (principal, action, resource);');
});

test('a port in use, and a second gateway on one folder', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  await waitFor(() => taken.listening, 'the port');
  const other = new Gateway();
  other.configure('', { listen: `127.0.0.1:${taken.address().port}` });
  const r = await other.cli('up');
  assert.equal(r.code, 1);
  assert.match(r.err, new RegExp(`${taken.address().port}`));
  taken.close();
  await other.close();
  const second = await gw.cli('up');
  assert.notEqual(second.code, 0);
  assert.match(second.err, /operators\.sock|in use/);
  assert.equal((await agent.call('ping')).status, 200, 'the first one lives');
});

test('no gateway: exit code 3 and what to do', async () => {
  const r = await gw.cli('--socket', gw.path('nobody.sock'), 'task', 'list');
  assert.equal(r.code, 3);
  assert.match(r.err, /writ up/);
});

test('everything that was decided is in a log that verifies', async () => {
  await gw.down();
  const verified = await gw.json('evidence', 'verify');
  assert.equal(verified.code, 0, JSON.stringify(verified.json));
  const trace = await gw.cli('evidence', 'trace', auth.task);
  assert.match(trace.out, /call\.decided|forbid|permit/);
});
