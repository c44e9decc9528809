// Compares events with docs/spec/evidence/event.schema.json (ajv) and with RFC 8785 (canonicalize), and makes sure that
// the schema refuses what it must.
//
//   node event_schema.cjs SCHEMA EVENTS.jsonl
'use strict';
const fs = require('fs');
const Ajv = require('ajv/dist/2020');
const canonicalizeModule = require('canonicalize');
const canonicalize = canonicalizeModule.default ?? canonicalizeModule;

const [schemaFile, eventsFile] = process.argv.slice(2);
const valid = new Ajv({ strict: false, allErrors: true }).compile(JSON.parse(fs.readFileSync(schemaFile, 'utf8')));
const lines = fs.readFileSync(eventsFile, 'utf8').split('\n').filter(line => line !== '');
const events = lines.map(line => JSON.parse(line));
let failures = 0;
const complain = text => { failures++; console.log(text); };

for (const [i, event] of events.entries()) {
  if (!valid(event)) complain(`${event.type} is refused: ${JSON.stringify(valid.errors.slice(0, 4))}`);
  if (canonicalize(event) !== lines[i]) complain(`${event.type} is not canonical`);
}

// Changes that make an event wrong, each with the types it is tried on (all by default).
const changes = [
  ['an unknown member', e => ({ ...e, x: 1 })],
  ['a fraction as time', e => ({ ...e, t_us: 1.5 })],
  ['an unknown type', e => ({ ...e, type: 'call.dreamt' })],
  ['no actor', e => ({ ...e, actor: {} })],
  ['a person by name', e => ({ ...e, actor: { ...e.actor, for: [{ kind: 'human', sub: 'ps:1', name: 'Maier' }] } })],
  ['an integer beyond 2^53', e => ({ ...e, emitter: { ...e.emitter, seq: 2 ** 53 } })],
  ['an id of another version', e => ({ ...e, id: '01a209c1-6900-4043-aa71-8774c572bd8a' })],
  ['a cause without a basis', e => ({ ...e, cause: [{ rel: 'requested_by', id: e.id }] })],
  ['an unknown relation', e => ({ ...e, cause: [{ rel: 'wished_by', id: e.id, basis: 'observed' }] })],
  ['prev at the start of a chain', e => ({ ...e, chain: { uid: 'x', seq: 0, prev: 'sha256:' + 'a'.repeat(64) } })],
  ['no prev inside a chain', e => ({ ...e, chain: { uid: 'x', seq: 1 } })],
  ['a stored payload without its digest', e => ({ ...e, payloads: [{ role: 'args', state: 'stored', len: 1 }] })],
  ['a payload in clear', e => ({ ...e, payloads: [{ role: 'args', state: 'not_collected', text: 'secret' }] })],
  ['an unknown member of data', e => ({ ...e, data: { ...e.data, x: 1 } })],
  ['a decision that is neither', e => ({ ...e, data: { ...e.data, kind: 'maybe' } }), ['call.decided', 'call.inward']],
  ['a permit that was not granted', e => ({ ...e, data: { ...e.data, kind: 'permit', granted: false } }), ['call.decided']],
  ['a permit without a policy set', e => ({ ...e, data: { ...e.data, kind: 'permit', policy_set: undefined } }), ['call.decided']],
  ['a permit despite an error', e => ({ ...e, data: { ...e.data, kind: 'permit', errors: ['x'] } }), ['call.decided']],
  ['a decision without a session', e => ({ ...e, session: undefined }), ['call.decided', 'call.ended', 'session.sealed']],
  ['a decision without a trace', e => ({ ...e, trace: undefined }), ['call.decided']],
  ['a fact with a fraction', e => ({ ...e, data: { ...e.data, facts: [{ k: 'a', v: [{ b: 0.5 }] }] } }), ['call.decided']],
  ['an end without a cause', e => ({ ...e, cause: undefined }), ['call.ended']],
  ['an unknown status', e => ({ ...e, data: { ...e.data, status: 'fine' } }), ['call.ended']],
  ['a seal without counts', e => ({ ...e, data: { reason: 'completed' } }), ['session.sealed']],
  ['a child without its parent', e => ({ ...e, data: { ...e.data, depth: 1, parent: undefined } }), ['task.started']],
  ['an attempt without a call', e => ({ ...e, call: undefined, attempt: 1 })],
];
let refused = 0;
for (const [what, change, only] of changes) {
  for (const event of events) {
    if (only && !only.includes(event.type)) continue;
    const wrong = JSON.parse(JSON.stringify(change(event)));
    if (valid(wrong)) complain(`${event.type} with ${what} is accepted`);
    else refused++;
  }
}

const types = new Set(events.map(event => event.type));
console.log(`${events.length} events of ${types.size} types, ${refused} wrong ones refused, ${failures} failures`);
if (types.size < 20) complain('too few types: the sample is broken');
process.exit(failures === 0 ? 0 : 1);
