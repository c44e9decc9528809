// What leaves the gateway by itself goes to whom the operator named, or nowhere: exports and submissions to witnesses over TLS. A server
// with another name, an expired certificate or an authority that nobody trusts gets not one byte of evidence, nor the token.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync } from 'node:fs';
import { request } from 'node:http';
import { createServer } from 'node:https';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Gateway, connect, waitFor, writ } from './harness.mjs';

const gw = new Gateway();
const servers = [];
let witness;
after(async () => {
  await gw.close();
  witness?.kill('SIGKILL');
  for (const s of servers) { s.server.closeAllConnections(); s.server.close(); }
});

// An authority in a folder of its own, and certificates of it.
function authority(name) {
  const dir = gw.path(name);
  mkdirSync(join(dir, 'new'), { recursive: true });
  gw.write(`${name}/index.txt`, '');
  gw.write(`${name}/serial`, '01\n');
  gw.write(`${name}/ca.cnf`, `[ca]\ndefault_ca=d\n[d]\ndir=${dir}\ndatabase=${dir}/index.txt\nserial=${dir}/serial\nnew_certs_dir=${dir}/new\n` +
    'default_md=sha256\npolicy=p\nunique_subject=no\n[p]\ncommonName=supplied\n');
  const openssl = (...args) => execFileSync('openssl', args, { stdio: 'pipe' });
  openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', join(dir, 'ca.key'),
    '-out', join(dir, 'ca.pem'), '-subj', `/CN=${name}`, '-days', '2');
  let made = 0;
  return { pem: join(dir, 'ca.pem'), certificate(names, start = '20250101000000Z', end = '20991231000000Z') {
    const base = join(dir, `leaf${++made}`);
    gw.write(`${name}/leaf${made}.ext`, `subjectAltName=${names}\n`);
    openssl('req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', `${base}.key`, '-out', `${base}.csr`, '-subj', '/CN=leaf');
    openssl('ca', '-batch', '-config', join(dir, 'ca.cnf'), '-keyfile', join(dir, 'ca.key'), '-cert', join(dir, 'ca.pem'),
      '-in', `${base}.csr`, '-out', `${base}.pem`, '-extfile', `${base}.ext`, '-startdate', start, '-enddate', end, '-notext');
    return { key: readFileSync(`${base}.key`), cert: readFileSync(`${base}.pem`) };
  } };
}

// A receiver that keeps what it is sent.
async function receiver(identity, answer = () => 200) {
  const got = [];
  const server = createServer(identity, (req, res) => {
    let body = '';
    req.on('data', (d) => { body += d; });
    req.on('end', () => { got.push({ url: req.url, headers: req.headers, body }); res.writeHead(answer(got.length)).end('thanks'); });
  });
  server.on('tlsClientError', () => {});
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const out = { server, got, url: `https://127.0.0.1:${server.address().port}` };
  servers.push(out);
  return out;
}

const states = async () => Object.fromEntries(JSON.parse((await gw.api('GET', 'status')).body).exports.map((e) => [e.name, e]));
let good, otlp, flaky, refused, ca, other;

before(async () => {
  ca = authority('ca');
  other = authority('other');
  const name = 'IP:127.0.0.1,DNS:localhost';
  good = await receiver(ca.certificate(name));
  otlp = await receiver(ca.certificate(name));
  flaky = await receiver(ca.certificate(name), (n) => n < 3 ? 503 : 204);
  refused = {
    wrongname: await receiver(ca.certificate('DNS:siem.example,IP:127.0.0.2')),
    expired: await receiver(ca.certificate(name, '20200101000000Z', '20210101000000Z')),
    unknown: await receiver(other.certificate(name)),
  };
  process.env.SIEM_TOKEN = 'sesame-4711';
  const to = (id, server, path, more = '') => `[[export]]\nname = "${id}"\nformat = "jsonl"\nto = "${server.url}${path}"\nca_file = "ca/ca.pem"\nbearer_env = "SIEM_TOKEN"\n${more}`;
  gw.configure(`
${gw.echo()}
${to('good', good, '/in?source=writ')}
${to('otlp', otlp, '/v1/logs').replace('"jsonl"', '"otlp"')}
${to('flaky', flaky, '/')}
${Object.entries(refused).map(([id, server]) => to(id, server, '/')).join('')}
`);
  gw.policy('permit (principal, action, resource);');
  gw.task('[[grants]]\ntools = ["echo/*"]\n');
  await gw.up();
  const { token } = await gw.bearer(gw.path('task.toml'));
  await (await connect(gw.mcp, { authorization: `Bearer ${token}` })).tool('echo__a', { n: 1 });
});

test('a webhook over TLS gets every event once, with the token from the environment', async () => {
  await waitFor(async () => { const s = (await states()).good; return s.delivered > 5 && s.behind === 0; }, 'the export');
  const events = good.got.flatMap((r) => r.body.trim().split('\n').map((line) => JSON.parse(line)));
  assert.deepEqual(events.map((e) => e.index), [...events.keys()]);
  for (const r of good.got) {
    assert.equal(r.url, '/in?source=writ');
    assert.equal(r.headers.authorization, 'Bearer sesame-4711');
    assert.equal(r.headers['content-type'], 'application/x-ndjson');
    assert.match(r.headers['idempotency-key'], /^\d+-[0-9a-f]{16}$/);
  }
  await waitFor(() => otlp.got.length > 0, 'the OTLP export');
  assert.ok(JSON.parse(otlp.got[0].body).resourceLogs[0].scopeLogs[0].logRecords.length > 0);
});

test('a receiver that is out of order is tried again, and nothing is left out', async () => {
  await waitFor(async () => { const s = (await states()).flaky; return s.delivered > 5 && s.behind === 0 && s.error === ''; }, 'the third try', 1200);
  assert.ok((await states()).flaky.failures >= 2);
  const taken = flaky.got.slice(2).flatMap((r) => r.body.trim().split('\n').map((line) => JSON.parse(line).index));
  assert.deepEqual(taken, [...taken.keys()]);
});

test('another name, an expired certificate and an unknown authority get nothing, and status says why', async () => {
  await waitFor(async () => Object.entries(await states()).every(([id, s]) => !(id in refused) || s.failures > 0), 'the refusals');
  const all = await states();
  for (const id of Object.keys(refused)) {
    assert.equal(refused[id].got.length, 0, `${id} got a request`);
    assert.match(all[id].error, /certificate is not trusted/, id);
    assert.equal(all[id].delivered, 0);
    assert.ok(all[id].behind > 0);
  }
  assert.match(all.wrongname.error, /mismatch/i);
  assert.match(all.expired.error, /expired/);
  for (const text of [gw.log, JSON.stringify(all)]) assert.ok(!text.includes('sesame-4711'), 'the token stays a secret');
});

test('what is wrong in the configuration is said where it stands', async () => {
  const text = readFileSync(gw.path('writ.toml'), 'utf8');
  for (const [from, to, says] of [[good.url, 'http://siem.example', /would cross the network in the clear/],
    ['bearer_env = "SIEM_TOKEN"\n', 'bearer_env = "SIEM_TOKEN"\ntoken_file = "t"\n', /one of `token_file` and `bearer_env`/]]) {
    gw.write('bad.toml', text.replace(from, to));
    const shown = await new Promise((done) => {
      const child = spawn(writ, ['--config', gw.path('bad.toml'), 'up'], { stdio: ['ignore', 'ignore', 'pipe'] });
      let err = '';
      child.stderr.on('data', (d) => { err += d; });
      child.on('exit', (code) => done({ code, err }));
    });
    assert.notEqual(shown.code, 0);
    assert.match(shown.err, says);
  }
});

test('a witness over TLS confirms; behind a certificate of another authority it is not even asked', async () => {
  const vkey = readFileSync(gw.path('state/log/default/gw-1/log.vkey'), 'utf8');
  gw.write('logs.txt', vkey);
  witness = spawn(writ, ['--json', 'witness', 'run', '--dir', gw.path('w'), '--name', 'w.example', '--logs', gw.path('logs.txt'),
    '--listen', '127.0.0.1:0'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = await once(witness.stdout, 'data');
  const { vkey: key, listen } = JSON.parse(line);
  const proxy = (identity) => new Promise((done) => {
    const seen = [];
    const server = createServer(identity, (req, res) => {
      seen.push(req.url);
      req.pipe(request({ host: '127.0.0.1', port: listen.split(':')[1], path: req.url, method: req.method, headers: req.headers },
        (answer) => { res.writeHead(answer.statusCode, answer.headers); answer.pipe(res); }).on('error', () => res.destroy()));
    });
    server.on('tlsClientError', () => {});
    server.listen(0, '127.0.0.1', () => { servers.push({ server }); done({ seen, url: `https://localhost:${server.address().port}` }); });
  });
  const config = readFileSync(gw.path('writ.toml'), 'utf8').replace(/\[\[export\]\][^[]*/g, '');
  const start = async (to) => {
    await gw.down();
    gw.write('witnesses.policy', `log ${vkey}witness w ${key} ${to.url}\nquorum w\n`);
    gw.write('writ.toml', `${config}[log]\npolicy = "witnesses.policy"\non_missing_quorum = "publish"\nquorum_grace = "1s"\nwitness_ca_file = "ca/ca.pem"\n`);
    await gw.up();
  };
  const stranger = await proxy(other.certificate('DNS:localhost'));
  await start(stranger);
  const status = async () => JSON.parse((await gw.api('GET', 'status')).body);
  await waitFor(async () => (await status()).witnesses[0].trouble !== '' && !(await status()).quorum, 'the refusal');
  assert.match((await status()).witnesses[0].trouble, /certificate is not trusted/);
  assert.equal(stranger.seen.length, 0);
  const search = async (type) => (await gw.json('evidence', 'search', '--type', type)).json.events.map((e) => JSON.parse(JSON.stringify(e.event)));
  await waitFor(async () => (await search('evidence.degraded')).length === 1, 'evidence.degraded');

  const real = await proxy(ca.certificate('DNS:localhost'));
  await start(real);
  await waitFor(async () => (await status()).witnessed > 0, 'a cosigned checkpoint');
  assert.ok(real.seen.every((url) => url === '/add-checkpoint'));
  await waitFor(async () => (await search('checkpoint.witnessed')).length === 1, 'checkpoint.witnessed');
  const [confirmed] = await search('checkpoint.witnessed');
  assert.deepEqual(confirmed.data.witnesses, ['w']);
  const [lost] = await search('evidence.degraded');
  assert.equal(lost.data.state, 'lost');
  assert.match(lost.data.witnesses[0].trouble, /certificate is not trusted/);
  assert.equal((await gw.json('evidence', 'verify')).code, 0);
});
