// The official SDK client on every path to the MCP door: handshake, lists, calls with progress, cancellation, the stream that says
// when the list has changed, the end of a session and a new one, and a task that ends in the middle of a stream.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { Gateway, connect, node, npm, post, waitFor } from './harness.mjs';
import { request, say, waysIn } from './paths.mjs';

const require = createRequire(join(npm, 'package.json'));
const sdk = (path) => import(pathToFileURL(require.resolve(`@modelcontextprotocol/sdk/${path}`)));
const { Client } = await sdk('client/index.js');
const { StreamableHTTPClientTransport } = await sdk('client/streamableHttp.js');
const { LoggingMessageNotificationSchema } = await sdk('types.js');

const gw = new Gateway();
let ways;

before(async () => {
  // A tool server that grows a tool when asked to, writes log messages, and counts what reaches it.
  gw.write('grows.mjs', `
const at = (path) => import(${JSON.stringify(pathToFileURL(join(npm, '@modelcontextprotocol/sdk/dist/esm/')).href)} + path);
const { McpServer } = await at('server/mcp.js');
const { StdioServerTransport } = await at('server/stdio.js');
const server = new McpServer({ name: 'grows', version: '1' }, { capabilities: { logging: {}, tools: { listChanged: true } } });
let grown = 0;
const text = (t) => ({ content: [{ type: 'text', text: t }] });
server.registerTool('grow', { description: 'adds a tool' }, async () => {
  server.registerTool('leaf-' + ++grown, { description: 'new' }, async () => text('leaf'));
  return text('grown');
});
server.registerTool('logs', { description: 'writes log messages' }, async (extra) => {
  for (const level of ['debug', 'info', 'error'])
    await extra.sendNotification({ method: 'notifications/message', params: { level, logger: 'x', data: 'at ' + level } });
  return text('logged');
});
server.registerTool('asks', { description: 'asks the client' }, async (extra) => {
  for (const method of ['sampling/createMessage', 'elicitation/create', 'roots/list']) {
    const params = method === 'roots/list' ? {} : method === 'elicitation/create' ? { message: 'password?', requestedSchema: { type: 'object', properties: {} } } : { messages: [], maxTokens: 5 };
    await extra.sendRequest({ method, params }, (await at('types.js')).EmptyResultSchema).then(() => { throw new Error('answered'); }, (e) => { if (e.message === 'answered') throw e; });
  }
  return text('refused three times');
});
await server.connect(new StdioServerTransport());
`);
  gw.configure(`
[[servers]]
name = "everything"
command = ["${node}", "${npm}/@modelcontextprotocol/server-everything/dist/index.js", "stdio"]
env = ["PATH"]
[[servers]]
name = "grows"
command = ["${node}", "${gw.path('grows.mjs')}"]
env = ["PATH"]
${gw.domain('all', 'everything/*', 'grows/*')}`);
  gw.policy('permit (principal, action, resource);');
  gw.task('[[grants]]\ntools = ["everything/*", "grows/*"]\n');
  await gw.up();
  ways = await waysIn(gw, 'everything', gw.path('task.toml'));
});
after(() => gw.close());

async function client(url, headers, options = {}) {
  const transport = new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } });
  const c = new Client({ name: 'e2e', version: '1' }, options);
  c.errors = [];
  c.onerror = (e) => c.errors.push(e);
  await c.connect(transport);
  return { c, transport };
}
const tool = (way) => (name, server = 'everything') => (way.prefix ? `${server}__${name}` : name);

test('initialize, listTools, callTool: on every path', async () => {
  for (const way of ways) {
    const { c, transport } = await client(way.url, way.headers);
    assert.equal(transport.protocolVersion, '2025-11-25');
    assert.deepEqual(c.getServerVersion().name, 'writ');
    assert.deepEqual(c.getServerCapabilities(), { logging: {}, tools: { listChanged: true } });
    const names = (await c.listTools()).tools.map((t) => t.name);
    assert.ok(names.includes(tool(way)('echo')), `${way.name}: ${names}`);
    if (!way.prefix) assert.ok(names.every((n) => !n.includes('__') && n !== 'grow'), `${names}`);
    const r = await c.callTool({ name: tool(way)('echo'), arguments: { message: 'hello' } });
    assert.match(r.content[0].text, /hello/);
    assert.equal(typeof r._meta['dev.writ/receipt'].index, 'number');
    await assert.rejects(c.callTool({ name: 'no-such-tool', arguments: {} }), /-32602/);
    await c.ping();
    await c.close();
    assert.deepEqual(c.errors, []);
  }
});

test('progress comes before the result, rising, with the client\'s token; the result carries the receipt', async () => {
  for (const way of ways) {
    const { c } = await client(way.url, way.headers);
    const seen = [];
    const r = await c.callTool({ name: tool(way)('trigger-long-running-operation'), arguments: { duration: 1, steps: 5 } }, undefined,
      { onprogress: (p) => seen.push([p.progress, p.total]) });
    assert.deepEqual(seen, [1, 2, 3, 4, 5].map((i) => [i, 5]), way.name);
    assert.match(r.content[0].text, /completed/);
    assert.equal(typeof r._meta['dev.writ/receipt'].index, 'number');
    await c.close();
  }
});

test('without progress, or for a client that takes JSON only, the answer is plain JSON; a stream for who takes only that', async () => {
  for (const way of ways) {
    const agent = await connect(way.url, way.headers);
    const call = (meta, accept) => post(way.url, JSON.stringify({ jsonrpc: '2.0', id: 'p', method: 'tools/call',
      params: { name: tool(way)('trigger-long-running-operation'), arguments: { duration: 1, steps: 2 }, ...meta } }), { ...agent.headers, ...(accept ? { accept } : {}) });
    const [plain, json, stream, streaming] = await Promise.all([
      call({}), connect(way.url, way.headers).then((a) => post(way.url, JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call',
        params: { name: tool(way)('trigger-long-running-operation'), arguments: { duration: 1, steps: 2 }, _meta: { progressToken: 1 } } }), { ...a.headers, accept: 'application/json' })),
      post(way.url, '{"jsonrpc":"2.0","id":9,"method":"ping"}', { ...agent.headers, accept: 'text/event-stream' }),
      connect(way.url, way.headers).then((a) => post(way.url, JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call',
        params: { name: tool(way)('trigger-long-running-operation'), arguments: { duration: 1, steps: 2 }, _meta: { progressToken: 'tok\u0041' } } }), a.headers)),
    ]);
    assert.equal(plain.headers.get('content-type'), 'application/json');
    assert.equal(json.headers.get('content-type'), 'application/json');
    assert.equal(stream.headers.get('content-type'), 'text/event-stream');
    assert.equal(stream.text, 'data: {"jsonrpc":"2.0","id":9,"result":{}}\n\n');
    assert.equal(streaming.headers.get('content-type'), 'text/event-stream');
    assert.equal(streaming.headers.get('cache-control'), 'no-store');
    const events = streaming.text.trim().split('\n\n').map((e) => JSON.parse(e.replace(/^data: /, '')));
    assert.deepEqual(events.map((e) => e.method ?? 'result'), ['notifications/progress', 'notifications/progress', 'result']);
    assert.ok(events.slice(0, 2).every((e) => e.params.progressToken === 'tokA'));
    assert.doesNotMatch(streaming.text, /^id:/m);
  }
});

test('an AbortSignal reaches the tool server\'s side and the record', async () => {
  for (const way of ways) {
    const { c } = await client(way.url, way.headers);
    const stop = new AbortController();
    const seen = [];
    const call = c.callTool({ name: tool(way)('trigger-long-running-operation'), arguments: { duration: 30, steps: 100 } }, undefined,
      { signal: stop.signal, onprogress: (p) => { seen.push(p.progress); if (seen.length === 2) stop.abort('enough'); } });
    await assert.rejects(call);
    // Recorded at once, not when the server would have answered.
    await waitFor(async () => (await gw.cli('evidence', 'trace', way.task)).out.includes('cancelled'), 'the cancellation on the record');
    assert.match((await c.callTool({ name: tool(way)('echo'), arguments: { message: 'on' } })).content[0].text, /on/);
    await c.close();
  }
});

test('log messages come when the client asked for their level, named after their server', async () => {
  const way = ways[2];
  const { c } = await client(way.url, way.headers);
  const heard = [];
  c.setNotificationHandler(LoggingMessageNotificationSchema, (n) => { heard.push(n.params); });
  await c.callTool({ name: 'grows__logs', arguments: {} });
  assert.deepEqual(heard, [], 'nothing was asked for');
  await c.setLoggingLevel('info');
  await c.callTool({ name: 'grows__logs', arguments: {} });
  assert.deepEqual(heard.map((h) => [h.level, h.logger, h.data]), [['info', 'grows/x', 'at info'], ['error', 'grows/x', 'at error']]);
  await assert.rejects(c.setLoggingLevel('loud'));
  await c.close();
});

test('what a tool server asks of the client is refused, and recorded', async () => {
  const way = ways[2];
  const { c } = await client(way.url, way.headers, { capabilities: { sampling: {}, elicitation: {}, roots: {} } });
  const r = await c.callTool({ name: 'grows__asks', arguments: {} });
  assert.equal(r.content[0].text, 'refused three times');
  await c.close();
});

test('list_changed on the GET stream, and only to whom it concerns', async () => {
  const clients = [];
  for (const way of ways) {
    let changes = 0;
    const { c } = await client(way.url, way.headers, { listChanged: { tools: { autoRefresh: false, debounceMs: 0, onChanged: () => { changes++; } } } });
    await c.listTools();
    clients.push({ way, c, changes: () => changes });
  }
  await new Promise((r) => setTimeout(r, 300)); // the streams are open
  const grower = clients[0];
  await grower.c.callTool({ name: 'grows__grow', arguments: {} });
  await waitFor(() => clients.filter((x) => x.way.prefix).every((x) => x.changes() > 0), 'list_changed');
  for (const x of clients) {
    assert.equal(x.changes(), x.way.prefix ? 1 : 0, `${x.way.name}: one server's endpoint does not change with another's tools`);
    const names = (await x.c.listTools()).tools.map((t) => t.name);
    assert.equal(names.includes('grows__leaf-1'), x.way.prefix !== '');
    await x.c.close();
  }
});

test('GET: only as an event stream, a bounded number, with a session', async () => {
  for (const way of ways) {
    const agent = await connect(way.url, way.headers);
    const get = (headers, signal) => fetch(way.url, { headers: { ...agent.headers, accept: 'text/event-stream', ...headers }, signal });
    assert.equal((await get({ accept: 'application/json' })).status, 406);
    assert.equal((await fetch(way.url, { headers: { ...way.headers, accept: 'text/event-stream' } })).status, 400);
    const stop = new AbortController();
    const open = await Promise.all([1, 2, 3, 4].map(() => get({}, stop.signal)));
    assert.deepEqual(open.map((r) => r.status), [200, 200, 200, 200]);
    const fifth = await get({});
    assert.equal(fifth.status, 409);
    assert.match(await fifth.text(), /too_many_streams/);
    stop.abort();
    await waitFor(async () => { const s = new AbortController(); const r = await get({}, s.signal); s.abort(); return r.status === 200; }, 'the closed ones to be noticed');
  }
});

test('terminateSession, then a new one; the old one is gone', async () => {
  for (const way of ways) {
    const { c, transport } = await client(way.url, way.headers);
    const old = transport.sessionId;
    await transport.terminateSession();
    await c.close();
    const agent = { ...way.headers, 'mcp-session-id': old };
    assert.equal((await post(way.url, '{"jsonrpc":"2.0","id":1,"method":"ping"}', agent)).status, 404);
    const again = await client(way.url, way.headers);
    assert.notEqual(again.transport.sessionId, old);
    assert.match((await again.c.callTool({ name: tool(way)('echo'), arguments: { message: 'back' } })).content[0].text, /back/);
    await again.c.close();
  }
});

test('older revisions are negotiated down', async () => {
  for (const way of ways) {
    for (const [asked, got] of [['2025-06-18', '2025-06-18'], ['2025-03-26', '2025-03-26'], ['2024-11-05', '2024-11-05'], ['2026-07-28', '2025-11-25'], ['1.0', '2025-11-25']]) {
      const r = await post(way.url, JSON.stringify({ jsonrpc: '2.0', id: 0, method: 'initialize', params: { protocolVersion: asked, capabilities: {}, clientInfo: { name: 'x', version: '1' } } }), way.headers);
      assert.equal(r.json.result.protocolVersion, got);
      const session = { ...way.headers, 'mcp-session-id': r.headers.get('mcp-session-id') };
      assert.equal((await post(way.url, '{"jsonrpc":"2.0","id":1,"method":"ping"}', session)).status, 200, 'no version header is needed');
      // The same is decided, recorded and refused, whatever revision is spoken.
      const called = (name, args) => post(way.url, JSON.stringify({ jsonrpc: '2.0', id: 3, method: 'tools/call', params: { name, arguments: args } }), session);
      const fine = await called(tool(way)('echo'), { message: 'old' });
      assert.equal(typeof fine.json.result._meta['dev.writ/receipt'].index, 'number', fine.text);
      assert.equal((await called('no-such-tool', {})).json.error.code, -32602);
      assert.equal((await called(tool(way)('echo'), [])).json.error.code, -32602);
      for (const bad of ['{', '{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}']) assert.equal((await post(way.url, bad, session)).json.error.code, -32700);
      assert.equal((await post(way.url, '{"jsonrpc":"2.0","id":4,"method":"ping"}', { ...session, ...(way.bearer ? { authorization: 'Bearer x' } : { origin: 'https://evil.example' }) })).status, way.bearer ? 401 : 403);
      const batch = await post(way.url, '[{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","id":2,"method":"ping"}]', session);
      assert.equal(batch.status, got === '2025-03-26' ? 200 : 400);
      if (batch.status === 200) assert.deepEqual(batch.json.map((r) => r.id), [1, 2]);
    }
  }
});

test('a task that ends in the middle of a stream: an error for the request, nothing more, and the end', async () => {
  for (const index of ways.keys()) {
    const way = (await waysIn(gw, 'everything', gw.path('task.toml')))[index];
    const agent = await connect(way.url, way.headers);
    way.session = { 'mcp-session-id': agent.headers['mcp-session-id'] };
    const body = JSON.stringify({ jsonrpc: '2.0', id: 'mid', method: 'tools/call',
      params: { name: tool(way)('trigger-long-running-operation'), arguments: { duration: 5, steps: 50 }, _meta: { progressToken: 't' } } });
    // In the middle is when events have come, however slowly the tool server starts.
    let midway;
    const events_came = new Promise((done) => { midway = done; });
    const stream = say(way.url, [request(way, body)], { until: '0\r\n\r\n', timeout: 30000,
      seen: (text) => { if (text.split('data: ').length > 2) midway(); } });
    await Promise.race([events_came, stream]);
    const began = Date.now();
    await gw.cli('task', 'end', way.task, '--reason', 'enough');
    const { text } = await stream;
    assert.ok(Date.now() - began < 2000, `${Date.now() - began} ms`);
    const events = [...text.matchAll(/^data: (.*)$/gm)].map((m) => JSON.parse(m[1]));
    assert.ok(events.length >= 2, text);
    const last = events.at(-1);
    assert.equal(last.id, 'mid');
    assert.match(last.error.message, /task ended/);
    assert.ok(events.slice(0, -1).every((e) => e.method === 'notifications/progress'));
    await way.holder.stop();
  }
});
