// Runs the real binary in a folder of its own: a gateway with a configuration, the CLI, and agents under `writ run`.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const source = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
export const npm = join(source, 'build/npm/node_modules');
export const writ = process.env.WRIT_BINARY;
export const fakeServer = process.env.WRIT_FAKE_SERVER;
export const node = join(npm, '.bin/node');

export class Gateway {
  constructor() {
    this.dir = mkdtempSync(join(tmpdir(), 'writ-e2e-'));
    this.files = join(this.dir, 'files');
    mkdirSync(join(this.files, 'notes'), { recursive: true });
    mkdirSync(join(this.dir, 'policies'));
    this.children = [];
  }
  path(...parts) { return join(this.dir, ...parts); }
  write(name, text) { writeFileSync(this.path(name), text); return this.path(name); }

  // A configuration with one agent; `servers` is TOML.
  configure(servers, { bearer = true, listen = '127.0.0.1:0', extra = '' } = {}) {
    return this.write('writ.toml', `trust_domain = "e2e.local"
data = "state"
policies = "policies"
${extra}
[listen]
agents = "${listen}"
agents_socket = "run/agents.sock"
operators_socket = "run/operators.sock"
bearer = ${bearer}
[[agents]]
name = "bot"
owner = "alice"
groups = ["assistants"]
${servers}
`);
  }
  // TOML of a fake tool server, shared by all tasks, that writes what it is asked to `<name>.log`.
  server(name, kind = name) {
    return `[[servers]]\nname = "${name}"\ncommand = ["${fakeServer}", "${kind}", "${this.path(`${name}.log`)}"]\nshared = true\n`;
  }
  domain(name, ...resources) { return `[[domains]]\nname = "${name}"\nsensitivity = "internal"\nresources = ${JSON.stringify(resources)}\n`; }
  // The tool server `echo`, and a domain that holds all of it.
  echo(domain = 'echoes') { return this.server('echo') + this.domain(domain, 'echo/*'); }
  policy(text) { return this.write('policies/test.cedar', text); }
  task(text) { return this.write('task.toml', `agent = "bot"\nsubject = "person:alice"\npurpose = "test"\nprompt = "test"\n${text}`); }

  // Starts `writ up` and waits until it serves. `openFiles`: its limit of descriptors, `softFiles` the soft one only; `env`: more of its environment.
  async up({ openFiles, softFiles, env = {} } = {}) {
    const args = ['--config', this.path('writ.toml'), '--json', 'up'];
    const limit = softFiles ? `-S -n ${softFiles}` : openFiles && `-n ${openFiles}`;
    const [file, all] = limit ? ['/bin/sh', ['-c', `ulimit ${limit}; exec "$0" "$@"`, writ, ...args]] : [writ, args];
    this.process = spawn(file, all, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
    this.log = '';
    this.process.stderr.on('data', (d) => { this.log += d; });
    let out = '';
    await new Promise((done, failed) => {
      this.process.stdout.on('data', (d) => { out += d; if (out.includes('\n')) done(); });
      this.process.on('exit', (code) => failed(new Error(`writ up exited with ${code}: ${out}${this.log}`)));
    });
    this.status = JSON.parse(await this.api('GET', 'status').then((r) => r.body));
    this.mcp = `http://${this.status.agents}/mcp`;
    // Slow servers do not delay the gateway; tests want all that will come.
    const starting = async () => JSON.parse((await this.api('GET', 'catalog')).body).health.some((s) => s.state === 'starting');
    await waitFor(async () => !(await starting()), 'the tool servers to answer', 2400);
    return this;
  }
  async down(signal = 'SIGTERM') {
    if (!this.process || this.process.exitCode !== null || this.process.signalCode !== null) return;
    this.process.removeAllListeners('exit');
    const gone = once(this.process, 'exit');
    this.process.kill(signal);
    const [code] = await gone;
    if (signal === 'SIGTERM' && code !== 0) throw new Error(`writ up ended with ${code}: ${this.log}`);
  }
  async close() {
    for (const child of this.children) if (child.exitCode === null) child.kill('SIGKILL');
    await this.down();
    rmSync(this.dir, { recursive: true, force: true });
  }

  // Runs the CLI; resolves to {code, out, err} whatever happens.
  cli(...args) {
    return new Promise((done) => {
      execFile(writ, ['--config', this.path('writ.toml'), ...args], { maxBuffer: 256 << 20 }, (error, out, err) =>
        done({ code: error ? error.code : 0, out, err }));
    });
  }
  async json(...args) {
    const r = await this.cli('--json', ...args);
    return { ...r, json: r.out ? JSON.parse(r.out) : null };
  }
  // One request on the operators' socket.
  api(method, path, body) {
    return new Promise((done, failed) => {
      const r = request({ socketPath: this.path('run/operators.sock'), method, path: `/api/v1/${path}`, headers: { host: 'localhost' } }, (response) => {
        let text = '';
        response.on('data', (d) => { text += d; });
        response.on('end', () => done({ status: response.statusCode, body: text }));
      });
      r.on('error', failed);
      r.end(body);
    });
  }
  // Starts a task and mints a bearer writ in it.
  async bearer(taskFile) {
    const task = await this.json('task', 'start', taskFile);
    if (task.code !== 0) throw new Error(task.out + task.err);
    const minted = await this.json('task', 'writ', task.json.id);
    if (minted.code !== 0) throw new Error(minted.out + minted.err);
    return { task: task.json.id, token: minted.json.writ };
  }
  // Runs a holder under `writ run` that keeps its URL open; resolves to {url, task, stop}.
  async run(taskFile) {
    const urlFile = this.path(`url-${this.children.length}`);
    const child = spawn(writ, ['--config', this.path('writ.toml'), 'run', '--task', taskFile, '--', node, '-e',
      `require('fs').writeFileSync(${JSON.stringify(urlFile)} + '.tmp', process.env.WRIT_MCP_URL); require('fs').renameSync(${JSON.stringify(urlFile)} + '.tmp', ${JSON.stringify(urlFile)}); process.stdin.resume(); process.stdin.on('end', () => process.exit(0));`],
      { stdio: ['pipe', 'pipe', 'pipe'] });
    this.children.push(child);
    let err = '';
    child.stderr.on('data', (d) => { err += d; });
    await waitFor(() => existsSync(urlFile) || child.exitCode !== null, 'the agent to start');
    if (child.exitCode !== null) throw new Error(`writ run exited with ${child.exitCode}: ${err}`);
    const gone = once(child, 'exit');
    return {
      url: readFileSync(urlFile, 'utf8'), task: /task ([0-9a-f-]{36})/.exec(err)[1], child,
      stop: async () => { child.stdin.end(); const [code] = await gone; return code; },
    };
  }
}

// Gateways of one test file, each with the tool server `echo` that everybody may use; all are closed at its end.
export function echoGateways(after) {
  const made = [];
  after(async () => { for (const gw of made) await gw.close(); });
  return () => {
    const gw = new Gateway();
    made.push(gw);
    gw.configure(gw.echo());
    gw.policy('permit (principal, action, resource);');
    gw.task('deadline = "10m"\n[[grants]]\ntools = ["echo/*"]\n');
    return gw;
  };
}

export async function waitFor(condition, what, tries = 400) {
  for (let i = 0; i < tries; i++) {
    if (await condition()) return;
    await new Promise((done) => setTimeout(done, 25));
  }
  throw new Error(`waited ${tries / 40} s for ${what}`);
}

// One raw POST; `body` may be a Buffer. Resolves to {status, headers, text, json}.
export async function post(url, body, headers = {}) {
  const response = await fetch(url, { method: 'POST', body,
    headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream', ...headers } });
  const text = await response.text();
  let json = null;
  try { json = JSON.parse(text); } catch { /* not JSON: the test looks at the text */ }
  return { status: response.status, headers: response.headers, text, json };
}

// initialize and initialized, then a function that calls methods in that protocol session.
export async function connect(url, headers = {}) {
  const first = await post(url, JSON.stringify({ jsonrpc: '2.0', id: 0, method: 'initialize',
    params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'e2e', version: '1' } } }), headers);
  if (first.status !== 200) throw new Error(`initialize: ${first.status} ${first.text}`);
  const all = { ...headers, 'mcp-session-id': first.headers.get('mcp-session-id'), 'mcp-protocol-version': '2025-11-25' };
  await post(url, '{"jsonrpc":"2.0","method":"notifications/initialized"}', all);
  let id = 0;
  const call = (method, params) => post(url, JSON.stringify({ jsonrpc: '2.0', id: ++id, method, params }), all);
  return { headers: all, call, tool: (name, args) => call('tools/call', { name, arguments: args }) };
}
