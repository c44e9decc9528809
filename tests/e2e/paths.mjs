// Every path on which a stranger or an agent reaches the MCP door, in one table: what must hold at the door is tested on each, and a
// new way in is added here once.
import { createPrivateKey, generateKeyPairSync, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { connect as dial } from 'node:net';

// [{name, url, headers, bearer, prefix}]: `headers` authenticate; `prefix` is what a tool of `server` is called there.
export async function waysIn(gw, server, taskFile) {
  const minted = await gw.bearer(taskFile);
  const holder = await gw.run(taskFile);
  const token = { authorization: `Bearer ${minted.token}` };
  const way = (name, url, bearer, own) => ({
    name, url, bearer, headers: bearer ? token : {}, prefix: own ? '' : `${server}__`, task: bearer ? minted.task : holder.task, token: minted.token, holder,
  });
  return [
    way('the agents\' listener', gw.mcp, true, false),
    way('the agents\' listener, one server', `${gw.mcp}/${server}`, true, true),
    way('the launcher\'s listener', holder.url, false, false),
    way('the launcher\'s listener, one server', `${holder.url}/${server}`, false, true),
  ];
}

// Says exactly these bytes (strings, Buffers, or numbers of milliseconds to wait) and hears everything until the server closes or
// `until` is in it. Resolves to {text, sent, closed}.
export function say(url, parts, { until, timeout = 5000, halfClose = false, seen = () => {} } = {}) {
  const { hostname, port } = new URL(url);
  return new Promise((done) => {
    const socket = dial(Number(port), hostname);
    let text = '';
    let sent = 0;
    let over = false;
    const end = (closed) => { if (!over) { over = true; clearTimeout(timer); socket.destroy(); done({ text, sent, closed }); } };
    const timer = setTimeout(() => end(false), timeout);
    socket.on('data', (d) => { text += d.toString('latin1'); seen(text); if (until && text.includes(until)) end(false); });
    socket.on('close', () => end(true));
    socket.on('error', () => end(true));
    socket.on('connect', async () => {
      for (const part of parts) {
        if (over) return;
        if (typeof part === 'number') { await new Promise((r) => setTimeout(r, part)); continue; }
        sent += part.length;
        if (!socket.write(part)) await new Promise((r) => { socket.once('drain', r); socket.once('close', r); });
      }
      if (halfClose) socket.end();
    });
  });
}

// A request as bytes. `fields` replace or (null) remove the usual ones; a list repeats one.
export function request(way, body, fields = {}, method = 'POST') {
  const { host, pathname } = new URL(way.url);
  const all = { host, 'content-type': 'application/json', accept: 'application/json, text/event-stream',
    'content-length': String(Buffer.byteLength(body)), ...way.headers, ...way.session, ...fields };
  const lines = Object.entries(all).flatMap(([k, v]) => (v === null ? [] : [v].flat().map((x) => `${k}: ${x}\r\n`)));
  return `${method} ${pathname} HTTP/1.1\r\n${lines.join('')}\r\n${body}`;
}

export const statusOf = (text) => Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0);
export const answersIn = (text) => [...text.matchAll(/HTTP\/1\.1 \d{3} /g)].length;

const b64 = (value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

// Tokens that differ from the good one in one thing each, otherwise well signed.
export function badTokens(gw, good) {
  const [head, claims] = good.split('.').slice(0, 2).map((part) => JSON.parse(Buffer.from(part, 'base64url')));
  const der = readFileSync(gw.path('state/keys/issuer.p256'));
  let key;
  for (const type of ['pkcs8', 'sec1']) {
    try { key = createPrivateKey({ key: der, format: 'der', type }); break; } catch { /* the other form */ }
  }
  const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  const make = (h, c, k = key) => {
    const text = `${b64(h)}.${b64(c)}`;
    return `${text}.${sign('sha256', Buffer.from(text), { key: k, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
  };
  const now = Math.floor(Date.now() / 1000);
  const [h, c, s] = good.split('.');
  return {
    control: make(head, claims), // signed by us, changed in nothing: must be accepted, or the others prove nothing
    bad: {
      'expired': make(head, { ...claims, iat: now - 900, nbf: now - 900, exp: now - 600 }),
      'not yet valid': make(head, { ...claims, nbf: now + 600 }),
      'of another audience': make(head, { ...claims, aud: 'https://other.example/mcp' }),
      'of another issuer': make(head, { ...claims, iss: 'https://other.example' }),
      'signed by another key': make(head, claims, other),
      'with alg none': `${b64({ ...head, alg: 'none' })}.${c}.`,
      'with alg none and its signature': `${b64({ ...head, alg: 'none' })}.${c}.${s}`,
      'with alg HS256 over the public text': `${b64({ ...head, alg: 'HS256' })}.${c}.${s}`,
      'of another typ': make({ ...head, typ: 'JWT' }, claims),
      'without typ': make({ alg: head.alg, kid: head.kid }, claims),
      'with a crit nobody knows': make({ ...head, crit: ['x'], x: 1 }, claims),
      'with a key of its own': make({ ...head, jwk: other.export({ format: 'jwk' }) }, claims, other),
      'of a session nobody knows': make(head, { ...claims, jti: '01a209c1-6900-7043-aa71-8774c572bd8a', sid: '01a209c1-6900-7043-aa71-8774c572bd8a' }),
      'cut short': good.slice(0, -10),
      'with an altered claim': `${h}.${b64({ ...claims, exp: claims.exp + 1 })}.${s}`,
      'empty': '',
      'not a token': 'nonsense',
      'with a space in it': `${h} ${c}`,
    },
  };
}
