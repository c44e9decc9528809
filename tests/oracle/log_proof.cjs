// A .tlog-proof of ours under the verifier of @sigstore/verify and node's Ed25519. usage: log_proof.cjs DIR
const fs = require('node:fs');
const path = require('node:path');
const { createHash, createPublicKey, verify } = require('node:crypto');
const inner = path.join(path.dirname(require.resolve('@sigstore/verify')), 'tlog', 'merkle.js');
const { verifyMerkleInclusion } = require(inner);

const dir = process.argv[2];
const [head, ...rest] = fs.readFileSync(path.join(dir, 'proof.tlog-proof'), 'utf8').split('\n\n');
const [magic, index, ...hashes] = head.split('\n');
if (magic !== 'c2sp.org/tlog-proof@v1' || !index.startsWith('index ')) throw new Error('not a tlog-proof');
const text = rest[0] + '\n';
const [origin, size, root] = text.split('\n');

// The checkpoint: signed by the log's key, which names the origin.
const [, name, id, encoded] = /^([^+]+)\+([0-9a-f]+)\+(.+)$/.exec(fs.readFileSync(path.join(dir, 'log.vkey'), 'utf8').trim());  // Base64 has `+`, too
const typed = Buffer.from(encoded, 'base64');
const expected = createHash('sha256').update(name + '\n').update(typed).digest().subarray(0, 4);
if (name !== origin || expected.toString('hex') !== id || typed[0] !== 1) throw new Error('key');
const key = createPublicKey({ format: 'jwk', key: { kty: 'OKP', crv: 'Ed25519', x: typed.subarray(1).toString('base64url') } });
const signed = rest[1].trimEnd().split('\n').some((line) => {
  const blob = Buffer.from(line.split(' ')[2], 'base64');
  return blob.subarray(0, 4).equals(expected) && verify(null, Buffer.from(text), key, blob.subarray(4));
});
if (!signed) throw new Error('the checkpoint is not signed by the log');

const entry = fs.readFileSync(path.join(dir, 'entry'));
const check = (body, at) => verifyMerkleInclusion(
  { canonicalizedBody: body, inclusionProof: { logIndex: String(at), hashes: hashes.map((h) => Buffer.from(h, 'base64')) } },
  { logSize: BigInt(size), logHash: Buffer.from(root, 'base64') });
const at = Number(index.slice(6));
check(entry, at);
for (const [what, body, where] of [['an altered entry', Buffer.concat([entry, Buffer.from('x')]), at], ['another index', entry, at + 1]]) {
  let refused = false;
  try { check(body, where); } catch { refused = true; }
  if (!refused) throw new Error(`${what} was accepted`);
}
console.log(`ok: entry ${at} of ${size} in ${origin}`);
