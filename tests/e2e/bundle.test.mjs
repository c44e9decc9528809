// One bundle of a witnessed gateway's log under three checkers that share no line: the program that made it, writ-verify, and Go's
// x/mod/sumdb (tests/oracle/go_log). What any of them takes, all take; every forgery is refused by all, the ones that only the log's
// own key or only the witnesses' quorum can tell included.
import assert from 'node:assert/strict';
import { execFile, execFileSync, spawn } from 'node:child_process';
import { createHash, createPrivateKey, sign } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { Gateway, connect, source, waitFor, writ } from './harness.mjs';

const gw = new Gateway();
const witnesses = [];
after(async () => {
  for (const w of witnesses) w.process.kill('SIGKILL');
  await gw.close();
});
const run = (program, ...args) => new Promise((done) => {
  execFile(program, args, { maxBuffer: 64 << 20 }, (error, out, err) => done({ code: error ? error.code : 0, out, err }));
});

// Go's checker, where Go is.
const gopath = '/usr/share/gocode';
const hasGo = existsSync(join(gopath, 'src/golang.org/x/mod/sumdb')) && existsSync('/usr/bin/go');
const goLog = gw.path('go_log');
if (hasGo)
  execFileSync('go', ['build', '-o', goLog, '.'], { cwd: join(source, 'tests/oracle/go_log'),
    env: { ...process.env, GO111MODULE: 'off', GOPATH: gopath, GOCACHE: join(process.env.WRIT_BUILD ?? gw.dir, 'go-cache') } });

async function witness(name) {
  const process = spawn(writ, ['--json', 'witness', 'run', '--dir', gw.path(name), '--name', `${name}.example`,
    '--logs', gw.path('logs.txt'), '--listen', '127.0.0.1:0'], { stdio: ['ignore', 'pipe', 'inherit'] });
  let out = '';
  await new Promise((done) => process.stdout.on('data', (d) => { out += d; if (out.includes('\n')) done(); }));
  const started = { name, process, ...JSON.parse(out) };
  witnesses.push(started);
  gw.write(`${name}.vkey`, started.vkey);
  return started;
}

// The three, under the log's key and a quorum of two witnesses of three: who took it.
const vkey = () => join(gw.path('state'), 'log/default/gw-1/log.vkey');
async function verdicts(text) {
  const file = gw.write('candidate.writ-bundle', text);
  const keys = witnesses.flatMap((w) => ['--witness', w.vkey]);
  const [ours, outside, go] = await Promise.all([
    gw.json('evidence', 'verify', '--bundle', file, '--vkey', vkey(), ...keys, '--quorum', '2'),
    run(join(dirname(writ), 'writ-verify'), '--trust', gw.path('witnesses.policy'), file),
    hasGo ? run(goLog, 'bundle', file, vkey(), '2', ...witnesses.map((w) => gw.path(`${w.name}.vkey`))) : null]);
  assert.ok(ours.code === 0 || ours.code === 4, `writ ended with ${ours.code}: ${ours.err}`);
  assert.ok([0, 1, 2].includes(outside.code), `writ-verify ended with ${outside.code}: ${outside.err}`);
  assert.ok(!go || go.code === 0 || (go.code === 1 && go.err.startsWith('go_log: ')), go?.err);
  return { takes: { writ: ours.code === 0, 'writ-verify': outside.code === 0, ...(go && { go: go.code === 0 }) },
    said: [ours.json?.findings?.[0], outside.out + outside.err, go && go.out + go.err] };
}
const nobody = { writ: false, 'writ-verify': false, ...(hasGo && { go: false }) };
const everybody = { writ: true, 'writ-verify': true, ...(hasGo && { go: true }) };

let text, bundle;
before(async () => {
  const servers = `
${gw.echo()}`;
  gw.policy(`permit (principal, action, resource);
@id("no-b")
forbid (principal, action == Writ::Action::"echo/b", resource);`);
  gw.task('[[grants]]\ntools = ["echo/*"]\n');
  gw.configure(servers);
  await gw.up();  // makes the log's key
  await gw.down();
  const key = readFileSync(vkey(), 'utf8');
  gw.write('logs.txt', key);
  const three = await Promise.all(['w1', 'w2', 'w3'].map((name) => witness(name)));
  gw.write('witnesses.policy', `log ${key}${three.map((w) => `witness ${w.name} ${w.vkey} http://${w.listen}\n`).join('')}group two 2 w1 w2 w3\nquorum two\n`);
  gw.configure(`${servers}[log]\npolicy = "witnesses.policy"\non_missing_quorum = "hold"\n`);
  await gw.up();
  const { task, token } = await gw.bearer(gw.path('task.toml'));
  const agent = await connect(gw.mcp, { authorization: `Bearer ${token}` });
  for (let i = 0; i < 5; i++) await agent.tool(i === 3 ? 'echo__b' : 'echo__a', { text: `call ${i} “quoted”\u2028` });
  await gw.json('task', 'end', task, '--reason', 'done');
  const file = gw.path('incident.writ-bundle');
  await waitFor(async () => {
    if (!(await gw.cli('evidence', 'tail', '-n', '20')).out.includes('task.ended')) return false;
    const made = await gw.json('evidence', 'bundle', task, '-o', file);
    assert.equal(made.code, 0, made.out + made.err);
    return made.json.witnesses >= 2;
  }, 'a cosigned checkpoint');
  await gw.down();  // the log stands still from here on
  assert.equal((await gw.json('evidence', 'bundle', task, '-o', file)).code, 0);
  text = readFileSync(file, 'utf8');
  bundle = JSON.parse(text);
});

test('the bundle that the CLI made is taken by all checkers', async (t) => {
  if (!hasGo) t.diagnostic('no Go with golang.org/x/mod: only writ and writ-verify check');
  const { takes, said } = await verdicts(text);
  assert.deepEqual(takes, everybody, said.join('\n'));
  for (const line of said.slice(1).filter(Boolean).join('').trim().split('\n')) t.diagnostic(line);
  assert.ok(bundle.witnesses.length >= 2, 'the policy names the witnesses, nobody had to type their keys');
  // What a reader writes differently is the same bundle.
  assert.deepEqual((await verdicts(JSON.stringify(bundle, null, 2))).takes, everybody);
});

// RFC 6962, from its definition.
const sha256 = (...parts) => createHash('sha256').update(Buffer.concat(parts)).digest();
const leafHash = (leaf) => sha256(Buffer.from([0]), Buffer.from(leaf));
const node = (l, r) => sha256(Buffer.from([1]), l, r);
const split = (n) => { let k = 1; while (2 * k < n) k *= 2; return k; };
const root = (hashes) => hashes.length === 1 ? hashes[0]
  : node(root(hashes.slice(0, split(hashes.length))), root(hashes.slice(split(hashes.length))));
const path = (i, hashes) => {
  if (hashes.length === 1) return [];
  const k = split(hashes.length);
  return i < k ? [...path(i, hashes.slice(0, k)), root(hashes.slice(k))] : [...path(i - k, hashes.slice(k)), root(hashes.slice(0, k))];
};
const seed = () => readFileSync(join(gw.path('state'), 'keys/log.ed25519'));
const logKey = () => createPrivateKey({ format: 'der', type: 'pkcs8', key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed()]) });

// What an operator with the log's key can do: the events, `edit`ed, chained and hashed anew as a log of their own, signed by the
// real key, under whatever `lines` other people signed before.
function rewritten(b, edit, lines = '') {
  const ends = new Map();
  const leaves = b.events.map((event, i) => {
    const leaf = edit(JSON.parse(event.leaf), i);
    if (!leaf) return null;
    const before = ends.get(leaf.chain.uid);
    leaf.chain.seq = before ? before.seq + 1 : 0;
    if (before) leaf.chain.prev = `sha256:${before.hash.toString('hex')}`;
    else delete leaf.chain.prev;
    const out = JSON.stringify(leaf);  // members stand sorted already
    ends.set(leaf.chain.uid, { seq: leaf.chain.seq, hash: leafHash(out) });
    return out;
  }).filter((leaf) => leaf);
  const hashes = leaves.map(leafHash);
  const body = `${b.log.origin}\n${leaves.length}\n${root(hashes).toString('base64')}\n`;
  const id = Buffer.from(b.log.vkey.split('+')[1], 'hex');
  const own = Buffer.concat([id, sign(null, Buffer.from(body), logKey())]).toString('base64');
  b.checkpoint = `${body}\n— ${b.log.origin} ${own}\n${lines}`;
  b.events = leaves.map((leaf, i) => ({ index: i, leaf, proof: path(i, hashes).map((h) => h.toString('base64')) }));
  b.witnesses = b.witnesses.filter((w) => lines.includes(`— ${w.name} `));
  for (const chain of b.chains) chain.events = leaves.filter((leaf) => JSON.parse(leaf).chain.uid === chain.uid).length;
  return b;
}
const signatures = (b) => b.checkpoint.slice(b.checkpoint.indexOf('\n\n') + 2).split(/(?<=\n)/);
const cosignatures = (b) => signatures(b).filter((line) => !line.startsWith(`— ${b.log.origin} `)).join('');
const inSession = (b) => b.events.findIndex((e) => JSON.parse(e.leaf).type === 'call.decided');
const recount = (b) => { for (const c of b.chains) c.events = b.events.filter((e) => JSON.parse(e.leaf).chain.uid === c.uid).length; };

const forgeries = {
  'an event removed': (b) => { b.events.splice(inSession(b), 1); },
  'an event removed and the count corrected': (b) => { b.events.splice(inSession(b), 1); recount(b); },
  'the end of a session removed, still said to be whole': (b) => {
    b.events.splice(b.events.findIndex((e) => JSON.parse(e.leaf).type === 'session.sealed'), 1);
    recount(b);
  },
  'a byte of a leaf flipped': (b) => { const e = b.events[inSession(b)]; e.leaf = e.leaf.replace('"permit"', '"permis"'); },
  'a forbid made a permit': (b) => {
    const e = b.events.find((x) => JSON.parse(x.leaf).data?.kind === 'forbid');
    e.leaf = e.leaf.replace('"kind":"forbid"', '"kind":"permit"');
  },
  'two proofs swapped': (b) => { const [x, y] = b.events; [x.proof, y.proof] = [y.proof, x.proof]; },
  'two leaves swapped': (b) => { const [x, y] = b.events; [x.leaf, y.leaf] = [y.leaf, x.leaf]; },
  'a hash of a proof flipped': (b) => {
    const h = Buffer.from(b.events[1].proof[0], 'base64');
    h[7] ^= 1;
    b.events[1].proof[0] = h.toString('base64');
  },
  'a hash of a proof left out': (b) => { b.events[2].proof.pop(); },
  'a hash added to a proof': (b) => { b.events[2].proof.push(b.events[2].proof[0]); },
  'another index': (b) => { b.events.at(-1).index += 1; },
  'an event twice': (b) => { b.events.push({ ...b.events.at(-1), index: b.events.at(-1).index + 1 }); recount(b); },
  'the order turned': (b) => { b.events.reverse(); },
  'cosignatures stripped': (b) => {
    const own = signatures(b).find((line) => line.startsWith(`— ${b.log.origin} `));
    b.checkpoint = `${b.checkpoint.slice(0, b.checkpoint.indexOf('\n\n') + 2)}${own}`;
    b.witnesses = [];
  },
  'one cosignature left, two needed': (b) => {
    const [first, ...rest] = cosignatures(b).split(/(?<=\n)/);
    for (const line of rest) b.checkpoint = b.checkpoint.replace(line, '');
    b.witnesses = b.witnesses.filter((w) => first.startsWith(`— ${w.name} `));
  },
  'a cosignature altered': (b) => {
    const line = cosignatures(b).split('\n')[0];
    const raw = Buffer.from(line.split(' ')[2], 'base64');
    raw[40] ^= 1;
    b.checkpoint = b.checkpoint.replace(line.split(' ')[2], raw.toString('base64'));
  },
  'the log\'s signature stripped': (b) => {
    b.checkpoint = b.checkpoint.replace(signatures(b).find((line) => line.startsWith(`— ${b.log.origin} `)), '');
  },
  'the size of the checkpoint altered': (b) => { b.checkpoint = b.checkpoint.replace(/\n(\d+)\n/, (_, n) => `\n${Number(n) + 1}\n`); },
  'a fingerprint altered': (b) => { b.log.fingerprint = b.log.fingerprint.replace(/.$/, (c) => c === '0' ? '1' : '0'); },
  'a witness\'s fingerprint altered': (b) => { b.witnesses[0].fingerprint = b.log.fingerprint; },
  'a chain left out of the list': (b) => { b.chains.pop(); },
  'a chain that is not there': (b) => { b.chains.push({ uid: 'zzz', whole: false, events: 0 }); },
  'a chain listed twice': (b) => { b.chains.push(b.chains.at(-1)); },
  'a part said to be whole': (b) => { b.events.splice(inSession(b) + 1, 1); recount(b); for (const c of b.chains) c.whole = true; },
  'a member nobody checks': (b) => { b.note = 'all is well'; },
  'a member nobody checks, in an event': (b) => { b.events[0].comment = 'seen by the auditor'; },
  'another version': (b) => { b.schema = 'writ.evidence-bundle/2'; },
  'no events': (b) => { b.events = []; b.chains = []; },
  'edited, hashed and signed again with the real key': (b) => {
    rewritten(b, (leaf) => { if (leaf.data?.kind === 'forbid') Object.assign(leaf.data, { kind: 'permit', code: 'permitted' }); return leaf; });
  },
  'the same under the cosignatures of the true checkpoint': (b) => { rewritten(b, (leaf) => leaf, cosignatures(b)); },
  'an event cut out and the log signed again': (b) => {
    const cut = inSession(b);
    rewritten(b, (leaf, i) => i === cut ? null : leaf);
  },
};
for (const [what, forge] of Object.entries(forgeries)) {
  test(`refused by all: ${what}`, async () => {
    const b = structuredClone(bundle);
    forge(b);
    const { takes, said } = await verdicts(JSON.stringify(b));
    assert.deepEqual(takes, nobody, said.join('\n'));
  });
}

test('refused by all: a name twice, half a file, another log\'s checkpoint and key', { skip: hasGo ? false : 'no Go' }, async () => {
  assert.deepEqual((await verdicts(text.replace('{"about"', '{"schema":"writ.evidence-bundle/1","about"'))).takes, nobody);
  assert.deepEqual((await verdicts(text.slice(0, text.length / 2))).takes, nobody);
  // A log with a key of its own, signed checkpoint and all.
  const other = gw.path('other');
  execFileSync(goLog, ['make', other, '300']);
  const b = structuredClone(bundle);
  b.checkpoint = readFileSync(join(other, 'checkpoint'), 'utf8');
  assert.deepEqual((await verdicts(JSON.stringify(b))).takes, nobody);
  const [origin] = b.checkpoint.split('\n');
  const otherKey = readFileSync(join(other, 'log.vkey'), 'utf8').trim();
  const print = createHash('sha256').update(Buffer.from(otherKey.split('+').slice(2).join('+'), 'base64').subarray(1)).digest('hex');
  b.log = { origin, vkey: otherKey, fingerprint: `sha256:${print}` };
  assert.deepEqual((await verdicts(JSON.stringify(b))).takes, nobody);
});

test('an event taken out in the open is no forgery: the part is named', async () => {
  const b = structuredClone(bundle);
  const cut = b.events[inSession(b)];
  b.events.splice(inSession(b), 1);
  recount(b);
  b.chains.find((c) => c.uid === JSON.parse(cut.leaf).chain.uid).whole = false;
  const { takes, said } = await verdicts(JSON.stringify(b));
  assert.deepEqual(takes, everybody, said.join('\n'));
  assert.match(said[1], /part of chain/);
});
