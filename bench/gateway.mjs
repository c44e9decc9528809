// One tools/call of 1 KiB, MCP 2025-11-25, at 1 and 32 connections, interleaved: straight to the tool server, through nginx proxy_pass,
// through @civic/passthrough-mcp-server, and through Writ, authorised under 100 policies and recorded durably, over the launcher's
// listener. The same tool server (http_echo) stands behind all of them, the same load (mcp_load) before them, everything on one CPU.
// `writ, stdio` is the same call with a tool server on pipes.
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { median, report } from './report.mjs';

const rounds = Number(process.env.WRIT_BENCH_ROUNDS ?? 5), seconds = Number(process.env.WRIT_BENCH_SECONDS ?? 2);
const cpu = process.env.WRIT_BENCH_CPU ?? '1';
const only = process.env.WRIT_BENCH_CASES?.split(';');
const dir = resolve('build/bench/gateway'), bin = resolve('build/release/bin'), writ = resolve(process.env.WRIT_BENCH_WRIT ?? `${bin}/writ`);

// ext4 without a journal makes a new file only after a look through what was deleted near it within the last minute (longer where that is not on
// the disk yet). What the run before left counted as Writ's work, up to 10 us a call: it is removed at the end, and a run begins a minute later.
const removed = `${dir}.removed`, kForgotten_s = 65;
function remove() {
  if (!existsSync(dir)) return;
  rmSync(dir, { recursive: true });
  execFileSync('sync');
  writeFileSync(removed, '');
}
remove();
const wait_s = existsSync(removed) ? kForgotten_s - (Date.now() - statSync(removed).mtimeMs) / 1000 : 0;
if (wait_s > 0) {
  console.error(`waiting ${Math.ceil(wait_s)} s: what an earlier run left was just removed`);
  await new Promise((r) => setTimeout(r, wait_s * 1000));
}
mkdirSync(dir, { recursive: true });
const runtime = mkdtempSync('/dev/shm/writ-bench-');  // on tmpfs, as /run/writ is
const children = [];
const start = (command, args, options = {}) => {
  const child = spawn('taskset', ['-c', cpu, command, ...args], { stdio: ['ignore', 'pipe', 'inherit'], ...options });
  child.out = '';
  child.stdout?.on('data', (d) => { child.out += d; });
  children.push(child);
  return child;
};
async function until(condition, what) {
  for (let i = 0; i < 400; i++) { if (condition()) return; await new Promise((r) => setTimeout(r, 25)); }
  throw new Error(`waited for ${what}`);
}
const answers = (url) => () => { try { execFileSync('bash', ['-c', `exec 3<>/dev/tcp/127.0.0.1/${new URL(url).port}`], { stdio: 'ignore' }); return true; } catch { return false; } };

// On-CPU time of all threads of a process and of what it started.
function cpuUs(pid) {
  let ns = 0;
  for (const task of readdirSync(`/proc/${pid}/task`)) ns += Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]);
  return ns / 1000;
}
const rssKib = (pid) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]);

// --- what stands before the tool server

const echo = start(`${bin}/http_echo`, ['0']);
await until(() => echo.out.includes('\n'), 'http_echo');
const upstream = Number(echo.out);
const port = 20000 + (process.pid % 20000);

function nginx() {
  mkdirSync(`${dir}/nginx`);
  writeFileSync(`${dir}/nginx/nginx.conf`, `worker_processes 1; pid ${dir}/nginx/pid; error_log ${dir}/nginx/error.log; daemon off; master_process off; events {}
http { access_log off; keepalive_requests 1000000000; client_body_temp_path ${dir}/nginx/b; proxy_temp_path ${dir}/nginx/p; fastcgi_temp_path ${dir}/nginx/f; uwsgi_temp_path ${dir}/nginx/u; scgi_temp_path ${dir}/nginx/s;
upstream u { server 127.0.0.1:${upstream}; keepalive 64; keepalive_requests 1000000000; }
server { listen 127.0.0.1:${port}; location / { proxy_pass http://u; proxy_http_version 1.1; proxy_set_header Connection ""; } } }`);
  return { process: start('/usr/sbin/nginx', ['-c', `${dir}/nginx/nginx.conf`]), url: `http://127.0.0.1:${port}/mcp`, tool: 'echo' };
}
function civic() {
  const cli = realpathSync('build/npm/node_modules/@civic/passthrough-mcp-server/dist/cli.js');  // silent through a link
  const env = { ...process.env, PORT: String(port + 1), TARGET_SERVER_URL: `http://127.0.0.1:${upstream}`, TARGET_SERVER_TRANSPORT: 'httpStream', NO_COLOR: '1', LOG_LEVEL: 'error' };
  return { process: start(process.execPath, ['--import', resolve('bench/loopback_only.mjs'), cli], { env, stdio: ['ignore', 'ignore', 'ignore'] }), url: `http://127.0.0.1:${port + 1}/mcp`, tool: 'echo' };
}
async function gateway(name, server) {
  const at = `${dir}/${name}`;
  mkdirSync(`${at}/policies`, { recursive: true });
  writeFileSync(`${at}/writ.toml`, `trust_domain = "bench.local"\ndata = "state"\n[listen]\nagents = ""\nagents_socket = "${runtime}/${name}/agents.sock"\noperators_socket = "${runtime}/${name}/operators.sock"
[[agents]]\nname = "bot"\nowner = "bench"\n[[servers]]\nname = "e"\n${server}\nshared = true
[[servers.tools]]\nname = "echo"\neffect = "write"\n[[domains]]\nname = "d"\nsensitivity = "internal"\nresources = ["e/*"]\n`);
  const policies = ['permit (principal, action in Writ::Action::"effect:write", resource) when { context.input.n < 100 };'];
  for (let i = 0; i < 9; i++) policies.push(`forbid (principal, action == Writ::Action::"e/echo", resource) when { context.input.n > ${1000 + i} };`);  // looked at in every call
  for (let i = 0; i < 90; i++) policies.push(`forbid (principal == Writ::Agent::"spiffe://bench.local/agent/other${i}", action, resource) when { context.task.depth > ${i} };`);
  writeFileSync(`${at}/policies/p.cedar`, policies.join('\n'));
  writeFileSync(`${at}/task.toml`, 'agent = "bot"\nsubject = "person:bench"\npurpose = "bench"\nprompt = "bench"\ndeadline = "1h"\n[[grants]]\ntools = ["e/echo"]\n');
  const up = start(writ, ['--config', `${at}/writ.toml`, 'up']);
  await until(() => up.out.includes('ready'), `${name} up`);
  const run = spawn(writ, ['--config', `${at}/writ.toml`, 'run', '-q', '--task', `${at}/task.toml`, '--', 'sh', '-c', `echo $WRIT_MCP_URL > ${at}/url; cat > /dev/null`], { stdio: ['pipe', 'inherit', 'inherit'] });
  children.push(run);
  await until(() => existsSync(`${at}/url`) && readFileSync(`${at}/url`, 'utf8').endsWith('\n'), `${name} run`);
  return { process: up, url: readFileSync(`${at}/url`, 'utf8').trim(), tool: 'e__echo' };
}

// --- the measurement

function load(target, connections) {
  const before = target.process ? cpuUs(target.process.pid) : 0;
  const out = JSON.parse(execFileSync('taskset', ['-c', cpu, `${bin}/mcp_load`, target.url, target.tool, String(connections), String(seconds)], { encoding: 'utf8' }));
  if (out.bad > 0) throw new Error(`${target.name}: ${out.bad} bad answers`);
  const after = target.process ? cpuUs(target.process.pid) : 0;
  return { ...out, req_per_s: out.requests / out.seconds, cpu_us_per_req: (after - before) / out.requests };
}

try {
  const cases = { direct: () => ({ url: `http://127.0.0.1:${upstream}/mcp`, tool: 'echo' }), nginx, civic,
    writ: () => gateway('writ', `url = "http://127.0.0.1:${upstream}/mcp"`), 'writ, stdio': () => gateway('stdio', `command = ["${bin}/stdio_echo"]`) };
  const targets = [];
  for (const [name, make] of Object.entries(cases)) {
    if (only && !only.includes(name)) continue;
    const target = { name, ...(await make()) };
    await until(answers(target.url), name);
    load(target, 4);  // warm
    targets.push(target);
  }
  const rows = [], ratios = {};
  for (const connections of [1, 32]) {
    const samples = new Map(targets.map((t) => [t.name, []]));
    for (let i = 0; i < rounds; i++) for (const t of targets) samples.get(t.name).push(load(t, connections));
    for (const t of targets) {
      const of = (key) => median(samples.get(t.name).map((s) => s[key]));
      rows.push({ case: `${t.name}, ${connections} connections`, req_per_s: Math.round(of('req_per_s')), p50_us: of('p50_us'), p99_us: of('p99_us'),
        ...(t.process ? { cpu_us_per_req: Number(of('cpu_us_per_req').toFixed(1)), rss_kib: rssKib(t.process.pid) } : {}) });
    }
    for (const peer of ['nginx', 'civic']) {
      if (!samples.has('writ') || !samples.has(peer)) continue;
      const each = samples.get('writ').map((s, i) => s.req_per_s / samples.get(peer)[i].req_per_s);
      ratios[`writ/${peer} req_per_s at ${connections}`] = Number(median(each).toFixed(3));
      ratios[`writ/${peer} req_per_s at ${connections}, range`] = `${Math.min(...each).toFixed(3)}-${Math.max(...each).toFixed(3)}`;
      const cpus = samples.get('writ').map((s, i) => s.cpu_us_per_req / samples.get(peer)[i].cpu_us_per_req);
      ratios[`writ/${peer} cpu_us_per_req at ${connections}`] = Number(median(cpus).toFixed(2));
    }
  }
  report('gateway', rows, ratios, process.argv[2] === '--json');
} finally {
  for (const child of children.reverse()) {
    const ended = new Promise((r) => { child.exitCode === null && child.signalCode === null ? child.once('exit', r) : r(); });
    child.kill('SIGTERM');
    const late = setTimeout(() => child.kill('SIGKILL'), 5000);
    await ended;
    clearTimeout(late);
  }
  rmSync(runtime, { recursive: true });
  remove();
}
