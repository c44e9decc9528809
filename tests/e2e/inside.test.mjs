// Processes inside a task are no persons on the operators' socket: not after a restart, not when their session was given up or their
// task revoked, not in the time between the end of the agent and the end of what it leaves behind.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { Gateway, node, waitFor } from './harness.mjs';

const gateways = [];
after(async () => {
  for (const gw of gateways) {
    for (const pid of pids(gw)) end(pid);
    await gw.close();
  }
});

function gateway(extra = '') {
  const gw = new Gateway();
  gateways.push(gw);
  gw.configure(gw.echo(), { extra });
  gw.policy('permit (principal, action, resource);');
  gw.task('deadline = "10m"\n[[grants]]\ntools = ["echo/*"]\n');
  // Asks to start a task again and again, and writes down what it is told.
  gw.write('greedy.mjs', `import { request } from 'node:http'; import { appendFileSync } from 'node:fs';
process.on('SIGTERM', () => {});
setTimeout(() => process.exit(0), 60_000);
const [socketPath, file] = process.argv.slice(2);
const body = JSON.stringify({ agent: 'bot', subject: 'person:alice', purpose: 'greed', prompt: 'more', grants: [{ tools: ['echo/*'] }] });
const ask = () => new Promise((done) => {
  const r = request({ socketPath, method: 'POST', path: '/api/v1/tasks', headers: { host: 'localhost' } }, (a) => { a.resume(); a.on('end', () => { appendFileSync(file, a.statusCode + '\\n'); done(); }); });
  r.on('error', () => setTimeout(done, 5)); r.end(body);
});
for (;;) { await ask(); await new Promise((done) => setTimeout(done, 5)); }`);
  return gw;
}
const answers = (gw) => (existsSync(gw.path('answers')) ? readFileSync(gw.path('answers'), 'utf8').split('\n').filter((l) => l) : []);
const more = async (gw, what) => {
  const seen = answers(gw).length;
  await waitFor(() => answers(gw).length >= seen + 10, `answers ${what}`);
};
const all_refused = (gw) => assert.deepEqual([...new Set(answers(gw))], ['403']);
const greedy = (gw) => [node, gw.path('greedy.mjs'), gw.path('run/operators.sock'), gw.path('answers')];
// `writ run` of a command; ended with the gateway's test.
function run(gw, ...command) {
  const child = spawn(process.env.WRIT_BINARY, ['--config', gw.path('writ.toml'), 'run', '--task', gw.path('task.toml'), '--', ...command], { stdio: ['ignore', 'ignore', 'pipe'] });
  gw.children.push(child);
  let err = '';
  child.stderr.on('data', (d) => { err += d; });
  return { child, gone: once(child, 'exit'), task: async () => { await waitFor(() => /task [0-9a-f-]{36}/.test(err), 'the task'); return /task ([0-9a-f-]{36})/.exec(err)[1]; } };
}
// Of the agent and of its helper, once there are any.
const pids = (gw) => (existsSync(gw.path('pids')) ? JSON.parse(readFileSync(gw.path('pids'), 'utf8')) : []);
const events = async (gw) => (await gw.cli('--json', 'evidence', 'tail', '-n', '100000')).out.split('\n').filter((l) => l).map((l) => JSON.parse(l));

// Starts greedy.mjs in a session of its own, says who they are, and stays, or leaves once that has its first answer.
function starter(gw, stays) {
  return gw.write('starter.mjs', `import { spawn } from 'node:child_process'; import { existsSync, writeFileSync } from 'node:fs';
const helper = spawn(${JSON.stringify(node)}, ${JSON.stringify(greedy(gw).slice(1))}, { detached: true, stdio: 'ignore' });
writeFileSync(${JSON.stringify(gw.path('pids'))}, JSON.stringify([process.pid, helper.pid]));
helper.unref();
const until = Date.now() + 60_000;
setInterval(() => { if (Date.now() > until || ${!stays} && existsSync(${JSON.stringify(gw.path('answers'))})) process.exit(0); }, 10);`);
}
const is_there = (pid) => { try { process.kill(pid, 0); return true; } catch { return false; } };
// What a test leaves behind is ended by its own number.
const end = (pid) => { try { process.kill(pid, 'SIGKILL'); } catch { /* gone already */ } };

test('after a restart an agent is no person, before its launcher is back and after it was given up', async () => {
  const gw = gateway('resume_grace = "1s"');
  await gw.up();
  const running = run(gw, node, starter(gw, true));
  await more(gw, 'before the restart');
  running.child.kill('SIGSTOP');
  try {
    await gw.down('SIGKILL');
    await gw.up();
    await more(gw, 'before the launcher is back');
    all_refused(gw);
    await waitFor(async () => (await events(gw)).some((e) => e.type === 'task.ended'), 'the session to be given up');
    await more(gw, 'after its session was given up');
    all_refused(gw);
    await gw.down();
    await gw.up();
    await more(gw, 'after another restart');
    all_refused(gw);
    assert.equal((await events(gw)).filter((e) => e.type === 'task.started').length, 1);
  } finally {
    running.child.kill('SIGCONT');
    pids(gw).forEach(end);
    await running.gone;
  }
});

test('what an agent leaves behind is inside until its launcher has ended it', async () => {
  const gw = gateway();
  await gw.up();
  const running = run(gw, node, starter(gw, false));
  await waitFor(() => pids(gw).length === 2 && !is_there(pids(gw)[0]), 'the end of the agent');
  await more(gw, 'of what it left behind');
  await running.gone;
  all_refused(gw);
  assert.ok(!is_there(pids(gw)[1]), 'it was ended');
  // And a person is one again, also where a process of the task had its number.
  assert.equal((await gw.cli('task', 'start', gw.path('task.toml'))).code, 0);
});

test('a process whose task was revoked is no person either, nor after a restart', async () => {
  const gw = gateway();
  await gw.up();
  const running = run(gw, node, starter(gw, true));
  await more(gw, 'while the agent runs');
  assert.equal((await gw.cli('task', 'revoke', await running.task())).code, 0);
  await more(gw, 'after the task was revoked');
  await gw.down();
  await gw.up();
  await more(gw, 'after the restart');
  all_refused(gw);
  pids(gw).forEach(end);
  await running.gone;
});
