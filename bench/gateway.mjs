// One tools/call of 1 KiB, authorised and recorded, at 1 and 32 connections, interleaved with nginx proxy_pass in front of an nginx that
// answers 1 KiB. Writ's tool server speaks stdio (a hop through pipes), nginx's upstream speaks HTTP: not the same upstream, but the
// same work for the client.
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { median, report } from './report.mjs';

const rounds = Number(process.env.WRIT_BENCH_ROUNDS ?? 5), seconds = Number(process.env.WRIT_BENCH_SECONDS ?? 2);
const cpu = process.env.WRIT_BENCH_CPU ?? '1';
const dir = resolve('build/bench/gateway'), writ = resolve('build/release/bin/writ');
rmSync(dir, { recursive: true, force: true });
mkdirSync(`${dir}/policies`, { recursive: true });
const pinned = (command, args, options) => spawn('taskset', ['-c', cpu, command, ...args], options);
const children = [];

writeFileSync(`${dir}/writ.toml`, `trust_domain = "bench.local"\ndata = "state"\n[listen]\nagents = ""\nagents_socket = "run/agents.sock"\noperators_socket = "run/operators.sock"
[[agents]]\nname = "bot"\nowner = "bench"\n[[servers]]\nname = "e"\ncommand = ["${resolve('build/release/bin/stdio_echo')}"]\nshared = true
[[servers.tools]]\nname = "echo"\neffect = "read"\n[[domains]]\nname = "d"\nsensitivity = "internal"\nresources = ["e/*"]\n`);
const policies = ['permit (principal, action in Writ::Action::"effect:read", resource) when { context.input.n < 100 };'];
for (let i = 0; i < 99; i++) policies.push(`forbid (principal, action == Writ::Action::"other/tool${i}", resource) when { context.input.n > ${i} };`);
writeFileSync(`${dir}/policies/p.cedar`, policies.join('\n'));
writeFileSync(`${dir}/task.toml`, 'agent = "bot"\nsubject = "person:bench"\npurpose = "bench"\nprompt = "bench"\ndeadline = "1h"\n[[grants]]\ntools = ["e/echo"]\n');
const body = (id) => JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/call', params: { name: 'e__echo', arguments: { n: 1, pad: 'p'.repeat(900) } } });

async function until(condition, what) {
  for (let i = 0; i < 400; i++) { if (condition()) return; await new Promise((r) => setTimeout(r, 25)); }
  throw new Error(`waited for ${what}`);
}
function cpuUs(pid) {  // on-CPU time of all threads
  let ns = 0;
  for (const task of readdirSync(`/proc/${pid}/task`)) ns += Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]);
  return ns / 1000;
}
function wrk(url, connections, headers) {
  const script = `${dir}/wrk.lua`;
  const head = Object.entries({ 'Content-Type': 'application/json', Accept: 'application/json, text/event-stream', ...headers }).map(([k, v]) => `["${k}"]=${JSON.stringify(v)}`).join(',');
  writeFileSync(script, `wrk.method="POST" wrk.headers={${head}} wrk.body=[[${body(7)}]]\nlocal bad=0\nfunction response(s,h,b) if s~=200 or b:find("isError") then bad=bad+1 end end\nfunction done(s,l,r) io.write(string.format("RESULT %d %d %f %f %d\\n", s.requests, s.duration, l:percentile(50), l:percentile(99), s.errors.status+s.errors.read+s.errors.timeout)) end`);
  const out = execFileSync('taskset', ['-c', cpu, 'wrk', '-t1', `-c${connections}`, `-d${seconds}s`, '-s', script, url], { encoding: 'utf8' });
  const [, requests, us, p50, p99, errors] = /RESULT (\d+) (\d+) ([\d.]+) ([\d.]+) (\d+)/.exec(out);
  if (Number(errors) > 0) throw new Error(`${errors} failed requests: ${out}`);
  return { requests: Number(requests), req_per_s: requests / (us / 1e6), p50_us: Number(p50), p99_us: Number(p99) };
}

try {
  const up = pinned(writ, ['--config', `${dir}/writ.toml`, 'up'], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(up);
  let out = '';
  up.stdout.on('data', (d) => { out += d; });
  await until(() => out.includes('ready'), 'writ up');
  const run = spawn(writ, ['--config', `${dir}/writ.toml`, 'run', '-q', '--task', `${dir}/task.toml`, '--', 'sh', '-c', `echo $WRIT_MCP_URL > ${dir}/url; cat > /dev/null`], { stdio: ['pipe', 'inherit', 'inherit'] });
  children.push(run);
  await until(() => existsSync(`${dir}/url`) && readFileSync(`${dir}/url`, 'utf8').endsWith('\n'), 'writ run');
  const url = readFileSync(`${dir}/url`, 'utf8').trim();
  const init = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
    body: '{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"b","version":"1"}}}' });
  const session = { 'MCP-Session-Id': init.headers.get('mcp-session-id'), 'MCP-Protocol-Version': '2025-11-25' };
  const probe = await (await fetch(url, { method: 'POST', body: body(1), headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream', ...session } })).json();
  if (!probe.result?._meta?.['dev.writ/receipt']) throw new Error(JSON.stringify(probe));

  const port = 20000 + (process.pid % 20000);
  // Two instances: one that proxied to itself would save every hop between processes.
  const start = async (name, http) => {
    mkdirSync(`${dir}/${name}`);
    writeFileSync(`${dir}/${name}/nginx.conf`, `worker_processes 1; pid ${dir}/${name}/pid; error_log ${dir}/${name}/error.log; daemon off; events {}
http { access_log off; keepalive_requests 1000000000; client_body_temp_path ${dir}/${name}/b; proxy_temp_path ${dir}/${name}/p; fastcgi_temp_path ${dir}/${name}/f; uwsgi_temp_path ${dir}/${name}/u; scgi_temp_path ${dir}/${name}/s; ${http} }`);
    children.push(pinned('/usr/sbin/nginx', ['-c', `${dir}/${name}/nginx.conf`], { stdio: 'inherit' }));
    await until(() => existsSync(`${dir}/${name}/pid`), name);
  };
  await start('upstream', `server { listen 127.0.0.1:${port + 1}; location / { default_type application/json; return 200 '{"jsonrpc":"2.0","id":7,"result":{"content":[{"type":"text","text":"${'x'.repeat(960)}"}]}}'; } }`);
  await start('proxy', `upstream u { server 127.0.0.1:${port + 1}; keepalive 64; keepalive_requests 1000000000; }
server { listen 127.0.0.1:${port}; location / { proxy_pass http://u; proxy_http_version 1.1; proxy_set_header Connection ""; } }`);
  await new Promise((r) => setTimeout(r, 200));

  const rows = [];
  for (const connections of [1, 32]) {
    const samples = { writ: [], nginx: [] }, ratio = [];
    for (let i = 0; i < rounds; i++) {
      const n = wrk(`http://127.0.0.1:${port}/mcp`, connections, session);
      const before = cpuUs(up.pid);
      const w = wrk(url, connections, session);
      w.cpu_us_per_req = (cpuUs(up.pid) - before) / w.requests;
      samples.nginx.push(n); samples.writ.push(w); ratio.push(w.req_per_s / n.req_per_s);
    }
    for (const who of ['nginx', 'writ']) {
      const of = (key) => median(samples[who].map((s) => s[key] ?? 0));
      rows.push({ case: `${who}, ${connections} connections`, req_per_s: Math.round(of('req_per_s')), p50_us: Math.round(of('p50_us')), p99_us: Math.round(of('p99_us')),
        ...(who === 'writ' ? { cpu_us_per_req: Number(of('cpu_us_per_req').toFixed(1)), ratio_range: `${Math.min(...ratio).toFixed(3)}-${Math.max(...ratio).toFixed(3)}` } : {}) });
    }
  }
  const rss = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${up.pid}/status`, 'utf8'))[1];
  rows.push({ case: 'writ, memory', rss_kib: Number(rss) });
  report('gateway', rows, { 'writ/nginx req_per_s at 1': (rows[1].req_per_s / rows[0].req_per_s).toFixed(3), 'writ/nginx req_per_s at 32': (rows[3].req_per_s / rows[2].req_per_s).toFixed(3) }, process.argv[2] === '--json');
} finally {
  for (const child of children.reverse()) child.kill('SIGTERM');
}
