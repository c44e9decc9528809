// Whose sockets are believed: a gateway does not start where another user could put one in its place, and the CLI tells nothing to
// whoever sits on its socket. And the way round a broken configuration.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, cpSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { echoGateways, waitFor, writ } from './harness.mjs';

const kStranger = 65534;
const gateway = echoGateways(after);
// `writ up` that is expected to end by itself.
const failing = (gw) => spawnSync(writ, ['--config', gw.path('writ.toml'), 'up'], { encoding: 'utf8', timeout: 10_000 });

test('a folder that others may write, or that is theirs, is refused and named', async () => {
  const gw = gateway();
  mkdirSync(gw.path('run'));
  chmodSync(gw.path('run'), 0o777);
  const open = failing(gw);
  assert.equal(open.status, 1, open.stdout + open.stderr);
  assert.match(open.stderr, /chmod go-w/);
  assert.ok(open.stderr.includes(gw.path('run')), open.stderr);
  assert.equal(existsSync(gw.path('state')), false, 'nothing was made');
  chmodSync(gw.path('run'), 0o755);
  if (process.getuid() === 0) {
    chownSync(gw.path('run'), kStranger, kStranger);
    const theirs = failing(gw);
    assert.equal(theirs.status, 1, theirs.stdout + theirs.stderr);
    assert.match(theirs.stderr, /belongs to uid 65534.*operators_socket/);
    chownSync(gw.path('run'), 0, 0);
  }
  await gw.up();
});

test('nothing is sent to a stranger who answers', { skip: process.getuid() !== 0 && 'needs root to be two users' }, async () => {
  const gw = gateway();
  // Where he came first, as in /tmp: an open folder above, his own below.
  chmodSync(gw.dir, 0o777);
  mkdirSync(gw.path('run'));
  chownSync(gw.path('run'), kStranger, kStranger);
  cpSync(process.execPath, gw.path('node'));
  chmodSync(gw.path('node'), 0o755);
  const his = spawn(gw.path('node'), ['-e', `
    const net = require('net'), fs = require('fs');
    for (const name of ['operators', 'agents'])
      net.createServer((s) => s.on('data', (d) => fs.appendFileSync('run/heard', d)).on('error', () => {})).listen('run/' + name + '.sock');
    setTimeout(() => process.exit(0), 60000);`], { cwd: gw.dir, uid: kStranger, gid: kStranger, stdio: 'inherit' });
  gw.children.push(his);
  await waitFor(() => existsSync(gw.path('run/agents.sock')), 'the stranger to listen');
  for (const words of [['task', 'list'], ['task', 'start', gw.path('task.toml')]]) {
    const r = await gw.cli(...words);
    assert.equal(r.code, 1, r.out + r.err);
    assert.match(r.err, /uid 65534 answers on .*nothing was sent/);
  }
  assert.equal(existsSync(gw.path('run/heard')) ? readFileSync(gw.path('run/heard'), 'utf8') : '', '');
});

test('a configuration that is broken while the gateway runs says how to reach it', async () => {
  const gw = gateway();
  await gw.up();
  gw.write('writ.toml', 'trust_domain = ');
  const broken = await gw.cli('task', 'list');
  assert.equal(broken.code, 2);
  assert.match(broken.err, /writ\.toml:1/);
  assert.match(broken.err, /--socket/);
  const round = await gw.cli('--socket', gw.path('run/operators.sock'), '--json', 'task', 'list');
  assert.equal(round.code, 0, round.err);
  assert.deepEqual(JSON.parse(round.out).tasks, []);
});

test('secrets that cannot all be looked for in answers are not lent: no start, no reload', async () => {
  const gw = gateway();
  const lend = (n) => gw.configure(gw.echo().replace('shared = true\n',
    `shared = true\nset = { ${Array.from({ length: n }, (_, i) => `K${i}_TOKEN = "secret-value-${i}"`).join(', ')} }\n`));
  lend(257);
  const refused = failing(gw);
  assert.equal(refused.status, 1, refused.stdout + refused.stderr);
  assert.match(refused.stderr, /257 secrets .*kMaxSecrets/);
  lend(2);
  await gw.up();
  lend(257);
  for (const more of [['--check'], []]) {
    const r = await gw.cli('reload', ...more);
    assert.equal(r.code, 1, r.out + r.err);
    assert.match(r.err, /257 secrets/);
  }
});
