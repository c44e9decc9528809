// Texts and data that are almost right, by seed: policies and schemas with a token lost, doubled, swapped or replaced; their JSON with a member lost,
// renamed or of another type; entities and requests for a schema with values that do not fit. Used by cedar_accept.cjs.
'use strict';
const {makeModel, schemaText, policyText, random} = require('./cedar_cases.cjs');

const TOKEN = /\/\/[^\n]*|"(?:\\.|[^"\\])*"|[A-Za-z_]\w*|\d+|==|!=|<=|>=|&&|\|\||::|\?\w+|\s+|[^\s\w]/gsu;
const WORDS = ['if', 'then', 'else', 'in', 'is', 'has', 'like', 'true', 'false', 'permit', 'forbid', 'when', 'unless', 'principal', 'action', 'resource', 'context', '__cedar',
  'entity', 'type', 'namespace', 'enum', 'tags', 'appliesTo', 'attributes', 'Set', 'Long', 'Bool', 'Boolean', 'String', 'decimal', 'ipaddr', 'datetime', 'duration', 'Record', 'Entity',
  'Extension', 'Action', 'A', 'B', 'N', 'x', 'a', 'ip', 'contains', 'isEmpty', 'hasTag', 'getTag', 'toDays', 'offset', 'lessThan', 'error'];  // not `unknown`: the WebAssembly build has the experimental function
const SIGNS = ['(', ')', '{', '}', '[', ']', ',', ';', ':', '::', '.', '?', '@', '=', '==', '!=', '<', '<=', '>', '>=', '&&', '||', '!', '-', '+', '*', '/', '%', '&', '|', '\'', '#', '$', '~'];
const LITERALS = ['0', '1', '007', '9223372036854775807', '9223372036854775808', '18446744073709551616', '""', '"a"', '"\\n\\r\\t\\0\\\\\\\'\\""', '"\\x41"', '"\\x7f"', '"\\x80"', '"\\u{41}"',
  '"\\u{10FFFF}"', '"\\u{110000}"', '"\\u{d800}"', '"\\u{}"', '"\\u{1_0}"', '"\\u{_1}"', '"\\u{0000041}"', '"\\*"', '"a*\\*b"', '"\\q"', '"\u00e9\u{1f600}"', '"\n"', '"\\\n"', '"', '?principal', '?resource', '?other',
  '1.5', '0x10', '1e3', '@id("x")', '@id', '@a("x") @a("y")', '@if("x")', '@__cedar("x")', '@a(x)', '@a("\\*")', '@"a"("x")', '//x\n', '/*x*/', '\u00e9', '\u00a0', '\u200b', '\r', '\u2028', '\ufeff',
  'principal is A in B::"x"', 'a.b.c', '"a".b', 'has a.b', 'has "a".b', 'has a."b"', 'has a.if', 'like "x"', 'like a', 'is A', 'is A::B', 'is "A"', 'in [A::"x"]', 'in ?principal', '!!!!true', '!!!!!true', '----1', '-----1', '!-1', '-!1',
  '{a: 1, "a": 2}', '{a: 1,}', '[1,]', '[,]', '{,}', '{if: 1}', '{"if": 1}', '{a::b: 1}', 'a["b"]', 'a[b]', 'a[1]', 'ip("x", 1)', 'A::ip("x")', 'x.ip()', 'x.contains()', 'x.contains(1, 2)', 'x.isEmpty(1)', 'x.lessThan()',
  'A::"x"', 'A :: "x"', 'A::B::"x"', '__cedar::A::"x"', 'A::__cedar::"x"', 'if::"x"', 'in::"x"', 'A::if::"x"', 'permit::"x"', 'Action::"x"', 'N::Action::"x"', 'Set<Long>', 'Set<Set<A>>', 'Set<>', '__cedar::Long', '__cedar::Foo',
  'entity A;', 'entity A, B;', 'entity A in [];', 'entity A in B;', 'entity A in [B,];', 'entity A enum ["x"];', 'entity A enum [];', 'entity A enum ["x", "x"];', 'entity A = {};', 'entity A {};', 'entity A = Long;', 'entity A tags Long;',
  'type A = Long;', 'type Long = A;', 'type Bool = Long;', 'type Set = Long;', 'type T = T;', 'type ipaddr = Long;', 'namespace N { }', 'namespace N::M { }', 'namespace __cedar { }', 'action a;', 'action a in a;', 'action "a", "b";', 'action a in [];',
  'action a appliesTo {principal: [], resource: A};', 'action a appliesTo {principal: A};', 'action a appliesTo {principal: A, resource: A, context: Long};', 'action a appliesTo {principal: A, resource: A,};', 'action a attributes {};', 'action a in Action::"b";',
  'appliesTo {resource: A, principal: A, context: {}}', '{a?: Long}', '{a: Long, a: Long}', '{"a b"?: Long,}', '@doc("x") @doc("y")', '@doc'];

function mutateText(r, text) {
  const tokens = text.match(TOKEN) || [];
  for (let n = 1 + r.below(2); n > 0 && tokens.length; --n) {
    const solid = tokens.map((t, i) => /^\s+$/.test(t) ? -1 : i).filter(i => i >= 0);
    if (!solid.length) break;
    const at = r.pick(solid), other = r.pick(solid);
    const made = () => r.chance(0.35) ? r.pick(LITERALS) : r.chance(0.5) ? r.pick(WORDS) : r.chance(0.6) ? r.pick(SIGNS) : tokens[other];
    switch (r.below(6)) {
      case 0: tokens.splice(at, 1); break;
      case 1: tokens.splice(at, 0, tokens[at], ' '); break;
      case 2: [tokens[at], tokens[other]] = [tokens[other], tokens[at]]; break;
      case 3: tokens.splice(at, 0, made(), ' '); break;
      default: tokens[at] = made();
    }
  }
  return tokens.join('');
}

const KEYS = ['type', 'name', 'element', 'attributes', 'required', 'additionalAttributes', 'shape', 'memberOfTypes', 'tags', 'enum', 'appliesTo', 'principalTypes', 'resourceTypes', 'context', 'memberOf', 'id', 'annotations', 'commonTypes',
  'entityTypes', 'actions', 'effect', 'op', 'entity', 'entities', 'slot', 'in', 'kind', 'body', 'conditions', 'Value', 'Var', '==', 'left', 'right', 'arg', 'attr', 'pattern', 'Literal', 'entity_type', 'if', 'then', 'else', '__entity', '__extn', 'fn', 'N', 'A', 'x', '', 'Set',
  'Record', 'like', 'has', '.', 'is', 'neg', '!', 'ip', 'isEmpty', 'Slot', 'Unknown'];
const VALUES = [null, true, false, 0, 1, -1, 1.5, '', 'x', 'A', 'N::A', 'Long', 'String', 'Boolean', 'Bool', 'Set', 'Record', 'Entity', 'Extension', 'EntityOrCommon', 'ipaddr', 'decimal', '__cedar::Long', '__cedar::ipaddr', 'if', 'a b', 'A::"x"', '?principal', '?resource',
  'principal', 'All', '==', 'in', 'is', 'permit', 'when', 'Wildcard', [], {}, ['A'], ['x', 'x'], [null], {type: 'Long'}, {type: 'Set'}, {type: 'Set', element: {type: 'Long'}}, {type: 'Record', attributes: {}}, {type: 'Record'},
  {type: 'Record', attributes: {a: {type: 'Long', required: false}}}, {type: 'Entity', name: 'A'}, {type: 'Extension', name: 'ipaddr'}, {type: 'Extension', name: 'foo'}, {type: 'EntityOrCommon', name: 'A'}, {type: 'A'}, {type: 'T', annotations: {a: ''}},
  {id: 'x'}, {id: 'x', type: 'Action'}, {type: 'A', id: 'x'}, {__entity: {type: 'A', id: 'x'}}, {__extn: {fn: 'ip', arg: '::1'}}, {__extn: {fn: 'ip', args: ['::1']}}, {__extn: {fn: 'foo', arg: 'x'}}, {fn: 'ip', arg: '::1'}, {__expr: '1'}, {Value: 1}, {Var: 'principal'},
  {Var: 'x'}, {Slot: '?principal'}, {Set: []}, {Record: {}}, {op: 'All'}, {op: '==', entity: {type: 'A', id: 'x'}}, {op: '==', slot: '?principal'}, {op: 'in', slot: '?resource'}, {op: 'is', entity_type: 'A'}, {op: 'is', entity_type: 'A', in: {slot: '?principal'}}, {op: 'in', entities: []},
  {op: 'in', entities: [{type: 'Action', id: 'x'}]}, {kind: 'when', body: {Value: true}}, {'.': {left: {Var: 'context'}, attr: 'a'}}, {has: {left: {Var: 'context'}, attr: 'if'}}, {has: {left: {Var: 'context'}, attr: ['a', 'b']}}, {has: {left: {Var: 'context'}, attr: []}},
  {like: {left: {Value: 'a'}, pattern: [{Literal: 'ab'}, 'Wildcard']}}, {like: {left: {Value: 'a'}, pattern: 'a*'}}, {is: {left: {Var: 'principal'}, entity_type: 'A'}}, {is: {left: {Var: 'principal'}, entity_type: 'A', in: {Var: 'resource'}}}, {ip: [{Value: '::1'}]}, {ip: []},
  {isIpv4: [{Value: 1}]}, {lessThan: [{Value: 1}, {Value: 2}, {Value: 3}]}, {contains: {left: {Set: []}, right: {Value: 1}}}, {isEmpty: {arg: {Set: []}}}, {neg: {arg: {Value: 1}}}, {'!': {arg: {Value: 1}}}, {'>': {left: {Value: 1}, right: {Value: 2}}},
  {'if-then-else': {if: {Value: true}, then: {Value: 1}, else: {Value: 2}}}, {Value: {__entity: {type: 'A', id: 'x'}}}, {Value: {__extn: {fn: 'ip', arg: 'x'}}}, {Value: [1, 'a']}, {Value: {a: 1}}, {Value: null}, {Value: 1.5}, {Record: {'': {Value: 1}}}];

function places(json, out = []) {
  if (json && typeof json === 'object') for (const key of Object.keys(json)) { out.push([json, key]); places(json[key], out); }
  return out;
}
function mutateJson(r, json) {
  const made = structuredClone(json);
  for (let n = 1 + r.below(2); n > 0; --n) {
    const all = places(made);
    if (!all.length) break;
    const [owner, key] = r.pick(all), list = Array.isArray(owner);
    switch (r.below(6)) {
      case 0: if (list) owner.splice(Number(key), 1); else delete owner[key]; break;
      case 1: if (list) owner.push(structuredClone(owner[key])); else { const v = owner[key]; delete owner[key]; owner[r.pick(KEYS)] = v; } break;
      case 2: { const [from, name] = r.pick(all); const copy = structuredClone(from[name]); owner[key] = copy; break; }
      case 3: if (!list) { owner[r.pick(KEYS)] = structuredClone(r.pick(VALUES)); break; }  // else as below
      default: owner[key] = structuredClone(r.pick(VALUES));
    }
  }
  return made;
}

// The model's schema with types given names of their own here and there, in three namespaces, some of which hide others or are builtins'.
const ALIASES = ['T1', 'T2', 'T3', 'T4', 'A', 'C', 'E', 'Action', 'decimal', 'ipaddr', 'datetime', 'String', 'Long', 'Bool', 'Boolean', 'Set', 'Record', 'Entity', 'Extension', 'permit', 'is'];
function aliasedSchema(r, model) {
  const spaces = {'': [], N: [], 'N::M': []}, used = new Set([...model.entities.map(e => e.name)]);
  const split = full => full.includes('::') ? [full.slice(0, full.lastIndexOf('::')), full.slice(full.lastIndexOf('::') + 2)] : ['', full];
  const ref = (full, ns) => { const [space, name] = split(full); return space === ns && r.chance(0.6) ? name : full; };
  const odd = r.chance(0.3);
  const key = k => /^[a-z]+$/.test(k) && k !== 'if' ? k : JSON.stringify(k);
  const type = (t, ns, d = 0) => {
    if (d < 4 && r.chance(0.25)) {
      const space = r.pick(Object.keys(spaces)), name = r.pick(odd ? ALIASES : ALIASES.slice(0, 4)), full = space ? `${space}::${name}` : name;
      if (!used.has(full)) {
        used.add(full);
        spaces[space].push(`type ${name} = ${type(t, space, d + 1)};`);
        return ref(full, ns);
      }
    }
    if (typeof t === 'string') return r.chance(0.3) ? '__cedar::' + t : r.chance(0.03) ? r.pick(ALIASES) : t;
    if (t.ent) return ref(t.ent, ns);
    return t.set ? `Set<${type(t.set, ns, d)}>` : record(t.rec, ns, d);
  };
  const record = (rec, ns, d = 0) => '{' + Object.entries(rec).map(([k, f]) => `${r.chance(0.05) ? '@doc("x") ' : ''}${key(k)}${f.req ? '' : '?'}: ${type(f.t, ns, d)}`).join(', ') + '}';
  const list = (names, ns) => names.length === 1 && r.chance(0.5) ? ref(names[0], ns) : `[${names.map(n => ref(n, ns)).join(', ')}]`;
  const enclosing = (t, ns) => r.chance(0.5) ? type(t, ns) : record(t.rec, ns);  // a record, or a name for it
  for (const e of model.entities) {
    const [ns, name] = split(e.name);
    spaces[ns].push(e.ids ? `entity ${name} enum [${e.ids.map(i => JSON.stringify(i)).join(', ')}];`
      : `entity ${name}${e.parents.length ? ' in ' + list(e.parents, ns) : ''}${Object.keys(e.rec).length ? ' = ' + enclosing({rec: e.rec}, ns) : ''}${e.tags ? ' tags ' + type(e.tags, ns) : ''};`);
  }
  for (const a of model.actions) {
    const parents = a.parents.map(p => p.ns === a.ns && r.chance(0.5) ? JSON.stringify(p.id) : `${p.ns ? p.ns + '::' : ''}Action::${JSON.stringify(p.id)}`);
    spaces[a.ns].push(`action ${JSON.stringify(a.id)}${parents.length ? ` in [${parents.join(', ')}]` : ''}${a.principals.length
      ? ` appliesTo {principal: ${list(a.principals, a.ns)}, resource: ${list(a.resources, a.ns)}, context: ${enclosing(a.context, a.ns)}}` : ''};`);
  }
  return Object.entries(spaces).map(([ns, lines]) => ns ? (lines.length ? `namespace ${ns} {\n${lines.join('\n')}\n}` : '') : lines.join('\n')).join('\n');
}

// Short policies about one thing each; X and Y are replaced by what is nearly an expression.
const SHAPES = ['X', 'X == Y', 'X in Y', 'X && Y', 'X || !Y', 'if X then Y else X', 'X < Y', 'X + Y', '-X', '!X', 'X has a', 'X has a.b', 'X like "a*"', 'X is A', 'X is A in Y', 'X.a', 'X["a"]', 'X.contains(Y)', '[X, Y]', '{a: X, "b": Y}', 'ip(X)', 'X.lessThan(Y)',
  'X.getTag(Y)', 'X.hasTag(Y)', 'X.isEmpty()', 'X * Y', 'X - Y', '(X)', 'X.offset(Y).toDate()', 'decimal(X)', 'datetime(X)', 'duration(X)'];
function shapedPolicy(r) {
  const atom = () => r.chance(0.5) ? r.pick(LITERALS) : r.chance(0.5) ? r.pick(WORDS) : r.pick(['principal', 'context', 'context.a', '1', '"a"', 'A::"x"', '[1]', '{a: 1}', '(1 + 2)', 'ip("::1")', 'true']);
  const shape = r.pick(SHAPES).replace(/[XY]/g, () => atom());
  const scope = r.chance(0.8) ? 'principal, action, resource' : r.pick(['principal == X, action, resource', 'principal in X, action, resource', 'principal is X, action, resource', 'principal, action == X, resource', 'principal, action in X, resource', 'principal, action in [X, X,], resource',
    'principal, action, resource is X in X', 'principal, action, resource,', 'principal, action', 'resource, action, principal', 'principal is X == X, action, resource', 'principal: X, action, resource', 'principal, action is X, resource', 'principal, action, resource == ?resource']).replace(/X/g, () => r.chance(0.5) ? r.pick(['A::"x"', 'Action::"x"', 'N::Action::"x"', 'A', 'N::A', '?principal', '?resource']) : atom());
  return `${r.chance(0.1) ? r.pick(LITERALS) + ' ' : ''}${r.pick(['permit', 'forbid'])}(${scope}) ${r.pick(['when', 'unless'])} { ${shape} };`;
}

// Data for a model of cedar_cases.cjs.
class Data {
  constructor(r, model) { Object.assign(this, {r, model, wild: r.pick([0, 0, 0.02, 0.08])}); }
  entity(name) { return this.model.entities.find(e => e.name === name); }
  uid(name) {
    const e = this.entity(name);
    return {type: name, id: e && e.ids ? (this.r.chance(0.95) ? this.r.pick(e.ids) : 'nope') : this.r.pick(['x', 'q', 'é', ''])};
  }
  // As Cedar's JSON, in its implicit forms too.
  value(t, d = 3) {
    const r = this.r;
    if (r.chance(this.wild)) return r.pick([null, true, 1, 1.5, 'x', [], {}, [1, 'a'], {__entity: {type: 'A', id: 'x'}}, {__entity: {type: 'Zed', id: 'x'}}, {__extn: {fn: 'ip', arg: '::1'}}, {__extn: {fn: 'decimal', arg: 'x'}}, {type: 'A', id: 'x'}, {__expr: '1'},
      {fn: 'ip', arg: '::1'}, {__extn: {fn: 'offset', args: [{__extn: {fn: 'datetime', arg: '2024-01-01'}}, {__extn: {fn: 'duration', arg: '1h'}}]}}, {__entity: {type: 'A'}}, {__entity: {type: 'A', id: 'x', more: 1}}, {__extn: {fn: 'ip', args: ['::1', '::2']}}, {a: null}]);
    const extension = (fn, good) => { const arg = r.chance(0.02) ? 'bad' : r.pick(good); return r.pick([{__extn: {fn, arg}}, {__extn: {fn, args: [arg]}}, arg, arg, {fn, arg}, {fn, args: [arg]}]); };
    switch (t) {
      case 'Bool': return r.chance(0.5);
      case 'Long': return r.pick([0, 1, -1, 9007199254740991]);
      case 'String': return r.pick(['', 'x', 'é', 'a"b']);
      case 'decimal': return extension('decimal', ['1.0', '-0.1234']);
      case 'ipaddr': return extension('ip', ['1.2.3.4', '::1/64', '10.0.0.0/8']);
      case 'datetime': return extension('datetime', ['2024-01-01', '1970-01-01T00:00:00Z']);
      case 'duration': return extension('duration', ['1h', '-1d2ms']);
    }
    if (t.ent) { const uid = this.uid(t.ent); return r.pick([uid, {__entity: uid}]); }
    if (t.set) return Array.from({length: r.below(3)}, () => this.value(t.set, d - 1));
    return this.record(t.rec, d - 1);
  }
  record(rec, d) {
    const out = {};
    for (const [k, f] of Object.entries(rec)) if (f.req ? !this.r.chance(this.wild / 2) : this.r.chance(0.5)) out[k] = this.value(f.t, d);
    if (this.r.chance(this.wild / 2)) out[this.r.pick(['zz', 'a', 'if', '__entity', '__extn'])] = 1;
    return out;
  }
  entities() {
    const r = this.r, out = [];
    for (const e of this.model.entities) for (let n = r.below(3); n > 0; --n) {
      const uid = this.uid(e.name), parents = e.parents.length || r.chance(this.wild) ? r.some(e.parents.concat(r.chance(this.wild) ? this.model.names : []), 2).map(p => this.uid(p)) : [];
      const one = {uid: r.chance(0.8) ? uid : {__entity: uid}, attrs: this.record(e.rec, 2), parents: parents.map(p => r.chance(0.8) ? p : {__entity: p})};
      if (e.tags && r.chance(0.6) || r.chance(this.wild)) one.tags = Object.fromEntries(r.some(['k', 'l', ''], 2).map(k => [k, this.value(e.tags || 'Long', 2)]));
      if (r.chance(this.wild)) one.uid = r.pick([{type: 'Zed', id: 'x'}, {type: 'Action', id: 'view'}, {type: 'A::', id: 'x'}, 'A::"x"', {type: 'N::A', id: 'x'}]);
      out.push(one);
    }
    for (const a of this.model.actions) if (r.chance(0.1)) {
      const type = `${a.ns ? a.ns + '::' : ''}Action`;
      out.push({uid: {type, id: a.id}, attrs: r.chance(this.wild) ? {a: 1} : {}, parents: r.chance(1 - this.wild) ? a.parents.map(p => ({type: `${p.ns ? p.ns + '::' : ''}Action`, id: p.id})) : []});
    }
    return out;
  }
}

// Case number `index` of the run `seed`: {kind, …}.
function makeMutant(seed, index) {
  const r = random(Math.imul(seed, 0x9e3779b1) ^ Math.imul(index + 1, 0x85ebca6b));
  for (let i = 0; i < 4; ++i) r.below(2);
  const model = makeModel(r), schema = r.chance(0.5) ? schemaText(r, model) : aliasedSchema(r, model);
  const kind = r.pick(['policy', 'policy', 'est', 'schema', 'schema_json', 'typed', 'typed', 'data', 'data', 'data', 'entities']);
  const rest = {mutateJson: json => mutateJson(r, json), chance: p => r.chance(p)};
  if (kind === 'policy') return {kind, text: r.chance(0.7) ? shapedPolicy(r) : mutateText(r, policyText(r, model))};
  if (kind === 'typed') return {kind, schema, policies: Array.from({length: 6}, () => r.chance(0.6) ? policyText(r, model) : r.chance(0.5) ? mutateText(r, policyText(r, model)) : shapedPolicy(r))};
  if (kind === 'est') return {kind, base: policyText(r, model), link: {'?principal': {type: 'A', id: 'x'}, '?resource': {type: 'A', id: 'x'}}, ...rest};
  if (kind === 'schema') return {kind, text: r.chance(0.3) ? schema : mutateText(r, r.chance(0.5) ? schema.split('\n').filter(() => r.chance(0.5)).join('\n') : schema)};
  if (kind === 'schema_json') return {kind, base: schema, ...rest};
  const data = new Data(r, model);
  if (kind === 'entities') return {kind, base: data.entities(), ...rest};
  const applicable = model.actions.filter(a => a.principals.length);
  const a = applicable.length ? r.pick(applicable) : model.actions[0];
  const any = list => r.chance(data.wild) || !list.length ? r.pick(model.names.concat(['Zed'])) : r.pick(list);
  return {kind, schema, policies: Array.from({length: 3}, () => policyText(r, model)).filter(p => !p.includes('?')).join('\n'), entities: data.entities(),
    action: {type: `${a.ns ? a.ns + '::' : ''}Action`, id: r.chance(data.wild) ? 'nope' : a.id}, principal: data.uid(any(a.principals)), resource: data.uid(any(a.resources)), context: data.record(a.context.rec, 2)};
}

module.exports = {makeMutant};
