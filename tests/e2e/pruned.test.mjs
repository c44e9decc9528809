// A gateway's log whose oldest entries were pruned: both verifiers say what they verified and from where, and what is damaged behind
// the bound, or of the hashes before it, is still a finding with the documented exit code.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cpSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { Gateway, connect, fakeServer, waitFor, writ } from './harness.mjs';

const gw = new Gateway();
const log = gw.path('pruned');
let size;
after(() => gw.close());

const verifier = join(dirname(writ), 'writ-verify');
const run = (program, ...args) => new Promise((done) => {
  execFile(program, args, (error, out, err) => done({ code: error ? error.code : 0, out, err }));
});
const both = async (dir) => [await gw.json('evidence', 'verify', '--log', dir), await run(verifier, dir)];

before(async () => {
  gw.configure(`
[[servers]]
name = "echo"
command = ["${fakeServer}", "echo", "${gw.path('echo.log')}"]
shared = true
`);
  gw.policy('permit (principal, action, resource);');
  gw.task('[[grants]]\ntools = ["echo/*"]\n');
  await gw.up();
  const { token, task } = await gw.bearer(gw.path('task.toml'));
  const agent = await connect(gw.mcp, { authorization: `Bearer ${token}` });
  for (let i = 0; i < 150; ++i) await agent.tool('echo__a', { text: `call ${i}` });
  await gw.json('task', 'end', task);
  await waitFor(async () => (await gw.cli('evidence', 'tail', '-n', '5')).out.includes('task.ended'), 'the end to be published');
  await gw.down();
  const logs = readdirSync(gw.dir, { recursive: true }).filter((f) => f.endsWith('/checkpoint') || f === 'checkpoint');
  cpSync(join(gw.dir, dirname(logs[0])), log, { recursive: true });
  size = Number(readFileSync(join(log, 'checkpoint'), 'utf8').split('\n')[1]);
  assert.ok(size > 300, `${size} entries`);
  // As `keep_entries` prunes, which begins with a hundred thousand: the bound, then the bytes.
  writeFileSync(join(log, 'minimum-index'), '256\n');
  rmSync(join(log, 'tile/entries/000'));
});

test('both say that it holds, and from which entry on', async () => {
  const [own, other] = await both(log);
  assert.equal(own.code, 0, own.out + own.err);
  assert.equal(own.json.minimum_index, 256);
  assert.equal(own.json.size, size);
  assert.equal(own.json.entries, size - 256);
  const told = await gw.cli('evidence', 'verify', '--log', log);
  assert.match(told.out, /^pruned {3}entries below 256 are gone/m);
  assert.match(told.out, new RegExp(`^ok {7}${size - 256} events`, 'm'));
  assert.equal(other.code, 0, other.out);
  assert.match(other.out, /entries below 256 are pruned: their hashes were verified/);
});

test('damage on either side of the bound is found', async () => {
  for (const file of ['tile/0/000', 'tile/entries/001.p']) {
    const copy = gw.path(`damaged-${file.replaceAll('/', '-')}`);
    cpSync(log, copy, { recursive: true });
    const at = file.endsWith('.p') ? join(copy, file, String(size - 256)) : join(copy, file);
    const bytes = readFileSync(at);
    bytes[bytes.length >> 1] ^= 1;
    writeFileSync(at, bytes);
    const [own, other] = await both(copy);
    assert.equal(own.code, 4, `${file}: ${own.out}`);
    assert.equal(other.code, 1, `${file}: ${other.out}`);
  }
});

test('a bound that is none is refused, and entries that are gone without one are a finding', async () => {
  writeFileSync(join(log, 'minimum-index'), '255\n');
  let [own, other] = await both(log);
  assert.equal(own.code, 4);
  assert.equal(other.code, 1);
  rmSync(join(log, 'minimum-index'));
  [own, other] = await both(log);
  assert.equal(own.code, 4);
  assert.equal(other.code, 1);
});
