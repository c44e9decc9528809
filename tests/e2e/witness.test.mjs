// The log seen from outside: three witnesses, the readers' listener, a fetched copy, the mirror, and the separate verifier under
// the policy that names the witnesses. One witness may die; without the quorum calls are refused and revocations go on.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { Gateway, connect, writ } from './harness.mjs';

const gw = new Gateway();
const witnesses = [];
after(async () => {
  for (const w of witnesses) w.process.kill('SIGKILL');
  await gw.close();
});
const run = (program, ...args) => new Promise((done) => {
  execFile(program, args, (error, out, err) => done({ code: error ? error.code : 0, out, err }));
});
// One GET with the path as it is: fetch() would take the dots away.
const raw = (url, path) => new Promise((done, failed) => {
  const { hostname, port, pathname } = new URL(url);
  request({ hostname, port, path: pathname + path }, (response) => {
    response.resume();
    done({ status: response.statusCode, type: response.headers['content-type'] });
  }).on('error', failed).end();
});
const until = async (what, check) => {
  for (let i = 0; i < 400; i++) {
    if (await check()) return;
    await new Promise((next) => setTimeout(next, 50));
  }
  assert.fail(`never: ${what}`);
};

// Starts `writ witness run`; `listen` is kept over a restart.
async function witness(name, listen = '127.0.0.1:0') {
  const process = spawn(writ, ['--json', 'witness', 'run', '--dir', gw.path(name), '--name', `${name}.example`,
    '--logs', gw.path('logs.txt'), '--listen', listen], { stdio: ['ignore', 'pipe', 'inherit'] });
  let out = '';
  await new Promise((done, failed) => {
    process.stdout.on('data', (d) => { out += d; if (out.includes('\n')) done(); });
    process.on('exit', (code) => failed(new Error(`witness exited with ${code}`)));
  });
  process.removeAllListeners('exit');
  const started = { name, process, ...JSON.parse(out) };
  witnesses.push(started);
  return started;
}

const server = `
${gw.echo('echo')}`;
const configure = (more) => {
  const file = gw.configure(server + more);
  writeFileSync(file, readFileSync(file, 'utf8').replace('[listen]', '[listen]\nreaders = "127.0.0.1:0"'));
};

test('what the quorum confirmed is fetched, mirrored and verified by a program that shares nothing', async () => {
  gw.policy('permit (principal, action, resource);');
  gw.task('[[grants]]\ntools = ["echo/*"]\n');
  configure('');
  await gw.up();  // makes the log's key
  await gw.down();
  const log = gw.path('state/log/default/gw-1');
  const vkey = readFileSync(join(log, 'log.vkey'), 'utf8');
  gw.write('logs.txt', `# of the gateway\n${vkey}`);
  const three = await Promise.all(['w1', 'w2', 'w3'].map((name) => witness(name)));
  gw.write('witnesses.policy', `log ${vkey}${three.map((w) => `witness ${w.name} ${w.vkey} http://${w.listen}\n`).join('')}group two 2 w1 w2 w3\nquorum two\n`);
  configure(`[log]\npolicy = "witnesses.policy"\non_missing_quorum = "refuse"\nquorum_grace = "1s"\nmirror = "mirror"\n`);
  await gw.up();
  const { task, token } = await gw.bearer(gw.path('task.toml'));
  const agent = await connect(gw.mcp, { authorization: `Bearer ${token}` });
  for (let i = 0; i < 20; i++) await agent.tool('echo__a', { i });

  const url = /http:\/\/[^ ]*\/log\/default\/gw-1/.exec(gw.log)[0];
  const verifier = join(dirname(writ), 'writ-verify');
  await until('a witnessed copy', async () => {
    const fetched = await gw.cli('--json', 'evidence', 'fetch', url, gw.path('copy'), '--vkey', join(log, 'log.vkey'));
    assert.equal(fetched.code, 0, fetched.err + fetched.out);
    return JSON.parse(fetched.out).size >= 40;
  });
  for (const dir of [gw.path('copy'), gw.path('mirror')])
    await until(`${dir} holds under the policy`, async () => {
      const verified = await run(verifier, '--json', '--trust', gw.path('witnesses.policy'), dir);
      assert.ok(verified.code < 2, verified.err);
      const found = JSON.parse(verified.out);
      return found.ok && found.size >= 40 && found.cosigned.length >= 2;
    });

  // The listener serves the log's names and nothing else.
  for (const [path, status, type] of [['/checkpoint', 200, 'text/plain; charset=utf-8'], ['/tile/0/999', 404], ['/../../../keys/log.ed25519', 404],
    ['/%2e%2e/keys', 404], ['/tile/entries/../../log.vkey', 404], ['/minimum-index', 200], ['', 404]]) {
    const response = await raw(url, path);
    assert.equal(response.status, status, path);
    if (type) assert.equal(response.type, type);
  }
  assert.equal((await fetch(`${url}/checkpoint`, { method: 'POST', body: '' })).status, 405);

  // One witness of three may die. Two may not: then calls wait, and the kill switch does not.
  three[0].process.kill('SIGKILL');
  const before = readFileSync(join(log, 'checkpoint'), 'utf8');
  await agent.tool('echo__a', { after: 1 });
  await until('a checkpoint without w1', async () => readFileSync(join(log, 'checkpoint'), 'utf8').split('\n')[1] !== before.split('\n')[1]);
  three[1].process.kill('SIGKILL');
  await until('refusal without the quorum', async () => {
    const r = await agent.tool('echo__a', { after: 2 });
    return r.json?.error !== undefined || r.json?.result?.isError === true || r.status >= 400;
  });
  // A witness comes back on its address, remembers, and the log goes on.
  await witness('w1', three[0].listen);
  await until('calls again', async () => {
    const r = await agent.tool('echo__a', { after: 3 });
    return r.status === 200 && r.json?.result?.isError !== true && r.json?.error === undefined;
  });
  await gw.cli('task', 'end', task);
  await gw.down();
  const last = await run(verifier, '--trust', gw.path('witnesses.policy'), log);
  assert.equal(last.code, 0, last.out + last.err);
  assert.match(last.out, /^ok /m);
  assert.ok(existsSync(gw.path('w1/keys/witness.ed25519')));
});

test('a log without its tail is found by whoever kept a checkpoint, and by the witnesses', async () => {
  const verifier = join(dirname(writ), 'writ-verify');
  const altered = readFileSync(gw.path('copy/checkpoint'), 'utf8').replace(/\n(\d+)\n/, (_, n) => `\n${n - 1}\n`);
  writeFileSync(gw.path('copy/checkpoint'), altered);
  const found = await run(verifier, '--json', gw.path('copy'));
  assert.equal(found.code, 1);
  assert.match(JSON.parse(found.out).findings[0], /signature does not verify/);
  assert.equal((await run(verifier, gw.path('nowhere'))).code, 2);
  assert.equal((await run(verifier, '--what')).code, 2);
});
