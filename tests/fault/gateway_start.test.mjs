// Starts that cannot go well say what is wrong, change nothing, and let the same start succeed once it is put right. And a start waits
// for nobody it does not need.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Gateway, connect, fakeServer, waitFor, writ } from '../e2e/harness.mjs';

const gateways = [];
after(async () => { for (const gw of gateways) await gw.close(); });
const server = (gw, name, mode) => `[[servers]]\nname = "${name}"\ncommand = ["${fakeServer}", "${mode}", "${gw.path(`${name}.log`)}"]\nshared = true\n`;
const rest = '[[domains]]\nname = "all"\nsensitivity = "internal"\nresources = ["echo/*"]\n';
function gateway(more = '') {
  const gw = new Gateway();
  gateways.push(gw);
  gw.configure(server(gw, 'echo', 'echo') + more + rest);
  gw.policy('permit (principal, action, resource);');
  gw.task('[[grants]]\ntools = ["echo/*"]\n');
  return gw;
}
// Every file below `dir` with its digest.
function tree(dir, out = {}) {
  for (const name of readdirSync(dir).sort()) {
    const path = join(dir, name);
    if (statSync(path).isDirectory()) tree(path, out);
    else if (statSync(path).isFile()) out[path] = createHash('sha256').update(readFileSync(path)).digest('hex');
  }
  return out;
}
// `writ up` that is expected to end by itself.
const failing = (gw) => spawnSync(writ, ['--config', gw.path('writ.toml'), 'up'], { encoding: 'utf8', timeout: 30_000 });

test('what makes a start impossible is named, nothing is changed, and put right it starts', async () => {
  const gw = gateway();
  await gw.up();
  const held = await gw.bearer(gw.path('task.toml'));
  assert.equal((await (await connect(gw.mcp, { authorization: `Bearer ${held.token}` })).tool('echo__a', {})).status, 200);
  await gw.down();
  const state = gw.path('state');
  const wal = () => readdirSync(state, { recursive: true }).filter((f) => f.endsWith('.seg')).map((f) => join(state, f)).sort();
  const keep = (file, change) => { const bytes = readFileSync(file); change(bytes); return () => writeFileSync(file, bytes); };
  const damaged = (file, at) => keep(file, (bytes) => { const copy = Buffer.from(bytes); copy[at] ^= 0xff; writeFileSync(file, copy); });
  const cases = [
    ['a damaged log', () => damaged(wal()[0], 200), /log|entr|corrupt|frame|root/i],
    ['a store that is none', () => keep(join(state, 'state.sqlite'), () => writeFileSync(join(state, 'state.sqlite'), 'this is no database, but long enough to look at '.repeat(100))), /state\.sqlite/],
    ['no policy folder', () => { renameSync(gw.path('policies'), gw.path('away')); return () => renameSync(gw.path('away'), gw.path('policies')); }, /policies/],
    ['a policy folder that is a file', () => {
      renameSync(gw.path('policies'), gw.path('away')); writeFileSync(gw.path('policies'), '');
      return () => { rmSync(gw.path('policies')); renameSync(gw.path('away'), gw.path('policies')); };
    }, /policies/],
    ['a broken policy', () => keep(gw.path('policies/test.cedar'), () => gw.policy('permit (principal')), /test\.cedar/],
    ['a data folder that is a file', () => {
      renameSync(state, gw.path('elsewhere')); writeFileSync(state, '');
      return () => { rmSync(state); renameSync(gw.path('elsewhere'), state); };
    }, /state/],
  ];
  if (process.getuid() !== 0)  // root reads and writes everything
    cases.push(['a data folder that cannot be written', () => { chmodSync(state, 0o500); return () => chmodSync(state, 0o700); }, /state/],
      ['a policy folder that cannot be read', () => { chmodSync(gw.path('policies'), 0); return () => chmodSync(gw.path('policies'), 0o700); }, /policies/]);
  for (const [what, spoil, says] of cases) {
    const undo = spoil();
    const before = existsSync(join(state, 'state.sqlite')) ? tree(state) : {};
    const r = failing(gw);
    assert.ok(r.status === 1 || r.status === 2, `${what}: ${r.status} ${r.signal} ${r.stderr}`);
    assert.match(r.stderr, /^writ: /m, what);
    assert.match(r.stderr, says, what);
    if (existsSync(join(state, 'state.sqlite')) && what !== 'a store that is none') {
      const changed = Object.entries(tree(state)).filter(([file, digest]) => before[file] && before[file] !== digest && !/sqlite/.test(file));
      assert.deepEqual(changed.map(([file]) => file), [], `${what}: nothing that was there is changed`);
    }
    undo();
  }
  await gw.up();
  const shown = await gw.json('task', 'show', held.task);
  assert.equal(shown.json.state, 'live', 'the task of before goes on');
  assert.equal(shown.json.spent.calls, 1);
  const second = spawnSync(writ, ['--config', gw.path('writ.toml'), 'up'], { encoding: 'utf8', timeout: 30_000 });
  assert.equal(second.status, 1);
  assert.match(second.stderr, /operators\.sock|another/, 'a second gateway on the same folder is refused');
  await gw.down();
  assert.equal((await gw.json('evidence', 'verify')).code, 0);
});

test('a start does not wait for a tool server that was seen before, and its tools appear when it answers', async () => {
  const gw = gateway();
  await gw.up();
  await gw.down();
  // The same server, mute from now on: a listing never comes.
  gw.configure(server(gw, 'echo', 'mute') + rest);
  const began = process.hrtime.bigint();
  gw.process = spawn(writ, ['--config', gw.path('writ.toml'), 'up'], { stdio: ['ignore', 'pipe', 'pipe'] });
  gw.log = '';
  gw.process.stderr.on('data', (d) => { gw.log += d; });
  await new Promise((done, failed) => {
    gw.process.stdout.once('data', done);
    gw.process.once('exit', (code) => failed(new Error(`${code} ${gw.log}`)));
  });
  const ready_ms = Number(process.hrtime.bigint() - began) / 1e6;
  console.log(`ready after ${ready_ms.toFixed(0)} ms with a mute tool server`);
  assert.ok(ready_ms < 4_000, `${ready_ms} ms: it did not wait for the five seconds of a first listing`);
  assert.equal(JSON.parse((await gw.api('GET', 'catalog')).body).tools.length, 0, 'what was accepted before is not offered before it is listed');
  gw.process.removeAllListeners('exit');
  gw.configure(server(gw, 'echo', 'echo') + rest);
  const reloaded = await gw.json('reload');
  assert.equal(reloaded.code, 0, reloaded.out);
  await waitFor(async () => JSON.parse((await gw.api('GET', 'catalog')).body).tools.length === 2, 'its tools to appear');
  // And policies that do not fit what was accepted before are refused at once, without asking the server.
  await gw.down();
  gw.policy('permit (principal, action == Writ::Action::"echo/a", resource) when { context.nothing.here };');
  const wrong = failing(gw);
  assert.equal(wrong.status, 2, wrong.stderr);
  assert.match(wrong.stderr, /test\.cedar/);
});
