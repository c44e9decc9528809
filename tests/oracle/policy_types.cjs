// Compares the schema that is generated from tools with Cedar's own implementation: every schema parses there, and the
// arguments that satisfy a tool's JSON Schema (ajv says so) become a context that validates against its action's type.
//
//   node policy_types.cjs PROGRAM WORK_DIR [COUNT] [SEED]
//
// Tool lists: those of the three official servers, asked for now, and COUNT random ones.
'use strict';
const fs = require('fs');
const path = require('path');
const { execFileSync, spawn } = require('child_process');
const Ajv = require('ajv/dist/2020');
const cedar = require('@cedar-policy/cedar-wasm/nodejs');

const [program, work, count = '60', seed = '1'] = process.argv.slice(2);
const ajv = new Ajv({ strict: false, allErrors: false, validateFormats: false });

let state = Number(seed) >>> 0;
const random = () => {
  state = (state + 0x6D2B79F5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
};
const below = n => Math.floor(random() * n);
const pick = list => list[below(list.length)];
const chance = p => random() < p;

// --- random schemas and instances -----------------------------------------------------------------------------------------
const names = ['path', 'to', 'content-type', 'in', 'if', 'a b', '', 'Ünïcode', '"quoted"', '_0', '__cedar', 'Bool', 'type',
  'has', '\n', '*', 'a', 'b', 'principal', 'x.y', '9', '\\', '\u202e'];
const strings = ['', 'a', 'delete', '*', 'ü', '"', '\\', '\u0000', '2026-11-25', '\u{1f600}'];

function schema(depth) {
  const kinds = ['integer', 'number', 'string', 'boolean', 'enum', 'any', 'nullable', 'date', 'ip', 'const', 'duration'];
  if (depth > 0) kinds.push('object', 'object', 'object', 'array', 'tuple', 'anyOf', 'oneOf', 'allOf', 'ref', 'map', 'types', 'openTuple', 'never');
  const one = () => schema(depth - 1);
  switch (pick(kinds)) {
    case 'integer': return { type: 'integer', ...(chance(0.3) ? { minimum: 0 } : {}) };
    case 'number': return { type: 'number' };
    case 'string': return { type: 'string' };
    case 'boolean': return { type: 'boolean' };
    case 'enum': return { enum: Array.from({ length: 1 + below(3) }, () => pick(['a', 'b', 1, 2.5, null, true, 'with "quotes"'])).filter((v, i, l) => l.indexOf(v) === i) };
    case 'const': return { const: pick(['a', 7, true, null, [1], { k: 1 }]) };
    case 'any': return pick([{}, true, { description: 'anything' }]);
    case 'never': return chance(0.2) ? false : { type: 'string' };
    case 'nullable': return pick([{ type: [pick(['integer', 'string', 'boolean', 'number']), 'null'] }, { anyOf: [{ type: 'integer' }, { type: 'null' }] }]);
    case 'date': return { type: 'string', format: pick(['date', 'date-time']) };
    case 'ip': return { type: 'string', format: pick(['ipv4', 'ipv6']) };
    case 'duration': return { type: 'string', format: 'duration' };
    case 'types': return { type: ['string', 'integer', 'array', 'object'].filter(() => chance(0.6)).concat('boolean'), items: one() };
    case 'array': return { type: 'array', ...(chance(0.9) ? { items: one() } : {}) };
    case 'tuple': return { type: 'array', prefixItems: [one(), one()], items: false, minItems: below(3) };
    case 'openTuple': return { type: 'array', prefixItems: [one()], ...(chance(0.5) ? { items: one() } : {}) };
    case 'anyOf': return { anyOf: [one(), one()] };
    case 'oneOf': return { oneOf: [one(), one()] };
    case 'allOf': return { allOf: [object(depth - 1), object(depth - 1)] };
    case 'ref': return { $ref: pick(['#/$defs/A', '#/$defs/B', '#/$defs/Node']) };
    case 'map': return { type: 'object', additionalProperties: one() };
    default: return object(depth - 1);
  }
}
function object(depth) {
  const properties = {};
  for (let i = below(4); i > 0; i--) properties[pick(names)] = schema(depth);
  const out = { type: 'object', properties };
  const required = Object.keys(properties).filter(() => chance(0.5));
  if (required.length) out.required = required;
  if (chance(0.4)) out.additionalProperties = pick([false, false, true]);
  return out;
}
function toolSchema() {
  return { ...object(3), $defs: { A: schema(1), B: object(1), Node: { type: 'object', properties: { next: { $ref: '#/$defs/Node' }, v: { type: 'integer' } } } } };
}
function instance(s, root, depth = 0) {
  if (s === false) return undefined;
  if (s === true || depth > 12) return scalar();
  if (s.$ref) return instance(s.$ref.split('/').slice(1).reduce((at, key) => at[key], root), root, depth + 1);
  if (s.enum) return pick(s.enum);
  if ('const' in s) return s.const;
  if (s.anyOf || s.oneOf) return instance(pick(s.anyOf ?? s.oneOf), root, depth + 1);
  if (s.allOf) return Object.assign({}, ...s.allOf.map(one => instance(one, root, depth + 1)));
  const type = Array.isArray(s.type) ? pick(s.type) : s.type;
  switch (type) {
    case 'integer': return pick([0, 1, -1, 9007199254740991, below(1000)]) * (s.minimum === 0 ? 1 : 1) || 0;
    case 'number': return pick([0, 1.5, -2.25, 100, 1e3, 0.0001]);
    case 'boolean': return chance(0.5);
    case 'null': return null;
    case 'string': return text(s.format);
    case 'array': return array(s, root, depth);
    case 'object': return members(s, root, depth);
    default: return scalar();
  }
}
const scalar = () => pick([1, 'a', true, null, [1, 'x'], { deep: [{ a: null }] }, 2.5]);
function text(format) {
  switch (format) {
    case 'date': return pick(['2026-11-25', '0001-01-01', '9999-12-31']);
    case 'date-time': return pick(['2026-11-25T10:00:00Z', '2026-11-25T10:00:00.123456+02:00', '1969-12-31T23:59:59-11:30']);
    case 'ipv4': return pick(['127.0.0.1', '10.0.0.255']);
    case 'ipv6': return pick(['::1', '2001:db8::1']);
    case 'duration': return pick(['PT1H', 'P1DT2H3M4.5S', 'P1W']);
    default: return pick(strings);
  }
}
function array(s, root, depth) {
  if (s.prefixItems) {
    const out = s.prefixItems.map(one => instance(one, root, depth + 1));
    if (s.items && chance(0.5)) out.push(instance(s.items, root, depth + 1));
    return out.slice(0, Math.max(s.minItems ?? 0, below(out.length + 1)));
  }
  return Array.from({ length: below(3) }, () => instance(s.items ?? true, root, depth + 1)).filter(v => v !== undefined);
}
function members(s, root, depth) {
  const out = {};
  for (const [name, one] of Object.entries(s.properties ?? {})) {
    if (!(s.required ?? []).includes(name) && (depth > 8 || chance(0.4))) continue;
    const value = instance(one, root, depth + 1);
    if (value !== undefined) out[name] = value;
  }
  if (s.additionalProperties !== false && chance(0.4)) {
    const value = instance(s.additionalProperties ?? true, root, depth + 1);
    if (value !== undefined) out['extra ' + below(3)] = value;
  }
  return out;
}

// --- real tool lists ------------------------------------------------------------------------------------------------------
function listTools(script, args, env) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [script, ...args], { env: { ...process.env, ...env }, stdio: ['pipe', 'pipe', 'ignore'] });
    const timer = setTimeout(() => { child.kill(); reject(new Error(script + ' did not answer')); }, 60000);
    let buffer = '';
    const send = message => child.stdin.write(JSON.stringify({ jsonrpc: '2.0', ...message }) + '\n');
    child.stdout.on('data', chunk => {
      buffer += chunk;
      for (let end; (end = buffer.indexOf('\n')) >= 0; buffer = buffer.slice(end + 1)) {
        let message;
        try { message = JSON.parse(buffer.slice(0, end)); } catch { continue; }
        if (message.id === 1) { send({ method: 'notifications/initialized' }); send({ id: 2, method: 'tools/list' }); }
        if (message.id === 2) { clearTimeout(timer); child.kill(); resolve(message.result.tools); }
      }
    });
    child.on('error', reject);
    send({ id: 1, method: 'initialize', params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'oracle', version: '1' } } });
  });
}
async function realLists() {
  const modules = process.env.NODE_PATH;
  const at = (name, ...args) => [path.join(modules, '@modelcontextprotocol', name, 'dist', 'index.js'), args, { MEMORY_FILE_PATH: path.join(work, 'memory.jsonl') }];
  const out = [];
  for (const one of [at('server-filesystem', work), at('server-memory'), at('server-everything', 'stdio')]) {
    if (!fs.existsSync(one[0])) { console.log(`skipped: no ${one[0]}`); process.exit(77); }
    out.push(await listTools(...one));
  }
  return out;
}

// --- the comparison -------------------------------------------------------------------------------------------------------
function calls(tools) {
  const out = [];
  for (const tool of tools) {
    let valid;
    try { valid = ajv.compile({ ...tool.inputSchema, $schema: undefined }); } catch { continue; }
    for (let tries = 0, found = 0; tries < 30 && found < 5; tries++) {
      const args = instance(tool.inputSchema, tool.inputSchema);
      if (args === undefined || args === null || typeof args !== 'object' || Array.isArray(args) || !valid(args)) continue;
      found++;
      out.push({ tool: 's/' + tool.name, arguments: args });
    }
  }
  return out;
}

const context = input => ({
  input, subject: 'person:alice', now: { __extn: { fn: 'datetime', arg: '2026-11-25' } }, flow: {},
  task: { id: 't', root: 't', purpose: 'p', depth: 0 }, agent: { charter: '', charter_changed: false }, tool: { pin: 'sha256:', effect: 'write' },
});

async function main() {
  fs.mkdirSync(work, { recursive: true });
  const lists = await realLists();
  const real = lists.length;
  for (let i = 0; i < Number(count); i++)
    lists.push(Array.from({ length: 1 + below(4) }, (_, n) => ({ name: pick(['read-file', 'a.b', 'A_B', 'x__y', '9lives']) + n, inputSchema: toolSchema() })));
  const asked = lists.map(tools => ({ tools, calls: calls(tools) }));
  const input = path.join(work, 'policy_types.in.jsonl'), output = path.join(work, 'policy_types.out.jsonl');
  fs.writeFileSync(input, asked.map(line => JSON.stringify(line) + '\n').join(''));
  execFileSync(program, [input, output], { stdio: 'inherit' });
  const answers = fs.readFileSync(output, 'utf8').trimEnd().split('\n').map(line => JSON.parse(line));

  let failures = 0, checked = 0, refused = 0, tools = 0;
  const complain = (...what) => { if (++failures <= 10) console.log(...what); };
  for (const [i, answer] of answers.entries()) {
    if (answer.refused || answer.dropped) { complain('tools were dropped', answer.refused ?? answer.dropped); continue; }
    tools += asked[i].tools.length;
    const parsed = cedar.checkParseSchema(answer.schema);
    if (parsed.type !== 'success') { complain('schema', i, JSON.stringify(parsed.errors.map(e => e.message)), answer.schema.slice(1800, 4000)); continue; }
    for (const [n, call] of answer.calls.entries()) {
      const { tool, arguments: args } = asked[i].calls[n];
      if (call.refused) {
        // Stricter than JSON Schema on purpose; docs/spec/policy-names.md lists these.
        refused++;
        if (i < real) complain('refused', tool, JSON.stringify(args), call.refused);
        continue;
      }
      checked++;
      const answered = cedar.isAuthorized({
        principal: { type: 'Writ::Agent', id: 'a' }, action: { type: 'Writ::Action', id: tool }, resource: { type: 'Writ::Resource', id: 'r' },
        context: context(call.input), schema: answer.schema, validateRequest: true,
        policies: { staticPolicies: 'permit (principal, action, resource);' }, entities: [],
      });
      if (answered.type !== 'success' || answered.response.decision !== 'allow')
        complain('context', tool, JSON.stringify(args), JSON.stringify(call.input), JSON.stringify(answered.errors ?? answered.response.diagnostics.errors),
          answer.schema.split('\n').filter(line => line.startsWith('  type ')).join('\n'));
    }
  }
  console.log(`${tools} tools, ${checked} contexts agree, ${refused} arguments refused, ${failures} failures`);
  if (checked < answers.length || refused > checked / 4) { console.log('too few arguments were compared'); failures++; }
  process.exit(failures ? 1 : 0);
}
main().catch(error => { console.log(error); process.exit(1); });
