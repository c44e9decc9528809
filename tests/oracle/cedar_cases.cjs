// Random schemas and policies for them, mostly well-typed, by seed. Used by cedar_validate.cjs.
'use strict';

function random(seed) {  // mulberry32
  let a = seed | 0;
  const next = () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  const below = n => Math.floor(next() * n);
  return {below, chance: p => next() < p, pick: list => list[below(list.length)],
    some: (list, max) => list.length === 0 ? [] : [...new Set(Array.from({length: below(max + 1)}, () => list[below(list.length)]))]};
}

const SCALARS = ['Bool', 'Long', 'String', 'decimal', 'ipaddr', 'datetime', 'duration'];
const ATTRS = ['a', 'b', 'c', 'name', 'if', 'a b'];
const same = (x, y) => JSON.stringify(x) === JSON.stringify(y);
const basename = full => full.split('::').pop();
const space = full => full.split('::').slice(0, -1).join('::');

// Types: a scalar's name, {ent: full name}, {set: type}, {rec: {name: {t, req}}} (keys sorted).
function makeType(r, names, depth) {
  const kind = r.below(depth > 0 ? 10 : 7);
  if (kind < 5) return r.pick(SCALARS);
  if (kind < 7) return {ent: r.pick(names)};
  if (kind < 8) return {set: makeType(r, names, depth - 1)};
  return makeRecord(r, names, depth - 1);
}
function makeRecord(r, names, depth) {
  const rec = {};
  for (const name of r.some(ATTRS, 4).sort()) rec[name] = {t: makeType(r, names, depth), req: r.chance(0.6)};
  return {rec};
}

function schemaText(r, model) {
  const ref = (full, ns) => space(full) === ns && r.chance(0.5) ? basename(full) : full;
  const type = (t, ns) => {
    if (typeof t === 'string') return r.chance(0.3) ? '__cedar::' + t : t;
    if (t.ent) return ref(t.ent, ns);
    if (t.set) return `Set<${type(t.set, ns)}>`;
    const common = Object.keys(model.commons).find(c => same(model.commons[c], t));
    if (common && r.chance(0.7)) return ref(common, ns);
    return record(t, ns);
  };
  const record = (t, ns) => '{' + Object.entries(t.rec).map(([k, f]) =>
    `${r.chance(0.1) ? '@doc("x") ' : ''}${/^[a-z]+$/.test(k) && k !== 'if' ? k : JSON.stringify(k)}${f.req ? '' : '?'}: ${type(f.t, ns)}`).join(', ') + '}';
  const list = (names, ns) => names.length === 1 && r.chance(0.5) ? ref(names[0], ns) : `[${names.map(n => ref(n, ns)).join(', ')}]`;
  const parts = {'': [], N: []};
  for (const [full, t] of Object.entries(model.commons)) parts[space(full)].push(`type ${basename(full)} = ${record(t, space(full))};`);
  for (const e of model.entities) {
    const ns = space(e.name);
    parts[ns].push(e.ids ? `entity ${basename(e.name)} enum [${e.ids.map(i => JSON.stringify(i)).join(', ')}];`
      : `entity ${basename(e.name)}${e.parents.length ? ' in ' + list(e.parents, ns) : ''}${Object.keys(e.rec).length ? (r.chance(0.5) ? ' = ' : ' ') + record(e, ns) : ''}${e.tags ? ' tags ' + type(e.tags, ns) : ''};`);
  }
  for (const a of model.actions) {
    const ns = a.ns;
    const parents = a.parents.map(p => p.ns === ns && r.chance(0.5) ? JSON.stringify(p.id) : `${p.ns ? p.ns + '::' : ''}Action::${JSON.stringify(p.id)}`);
    parts[ns].push(`action ${/^[a-z]\w*$/.test(a.id) ? a.id : JSON.stringify(a.id)}${parents.length ? ` in [${parents.join(', ')}]` : ''}` +
      (a.principals.length ? ` appliesTo {principal: ${list(a.principals, ns)}, resource: ${list(a.resources, ns)}, context: ${
        (c => c.startsWith('{') || !c.includes('<') ? c : record(a.context, ns))(type(a.context, ns))}}` : '') + ';');
  }
  return parts[''].join('\n') + (parts.N.length ? `\nnamespace N {\n${parts.N.join('\n')}\n}` : '');
}

function makeModel(r) {
  const names = ['A', 'B', 'C', 'D'].slice(0, 1 + r.below(4)).concat(['N::E', 'N::F'].slice(0, r.below(3)));
  const enums = names.length > 1 && r.chance(0.4) ? [names.pop()] : [];
  const all = names.concat(enums);
  const commons = {};
  for (const full of r.some(['T', 'N::U'], 2)) commons[full] = makeRecord(r, all, 1);
  const shape = () => Object.keys(commons).length && r.chance(0.3) ? commons[r.pick(Object.keys(commons))] : makeRecord(r, all, 2);
  const entities = names.map(name => ({name, parents: r.some(all, 2), rec: shape().rec, tags: r.chance(0.4) ? makeType(r, all, 1) : null}));
  for (const name of enums) entities.push({name, ids: r.some(['x', 'y', 'z', 'u v'], 3).concat(['x']), parents: [], rec: {}, tags: null});
  const actions = [];
  for (const [ns, id] of [['', 'view'], ['', 'edit'], ['', 'a b'], ['N', 'go'], ['N', 'run']].filter(() => r.chance(0.6)).concat([['', 'last']])) {
    const applies = r.chance(0.8);
    actions.push({ns, id, parents: r.some(actions, 1), principals: applies ? r.some(all, 1).concat([r.pick(all)]).filter((x, i, l) => l.indexOf(x) === i) : [],
      resources: applies ? [r.pick(all)] : [], context: applies ? shape() : {rec: {}}});
  }
  return {commons, entities, actions, names: all};
}

// Expressions of a type, for one environment. `wild`: how often the type is not kept to.
class Expressions {
  constructor(r, model, environment, wild) {
    Object.assign(this, {r, model, wild});
    this.paths = [];
    const entity = name => model.entities.find(e => e.name === name);
    this.entity = entity;
    const walk = (text, t, guards, depth) => {
      this.paths.push({text, t, guards});
      if (depth === 0) return;
      const rec = t.rec || (t.ent && entity(t.ent) && entity(t.ent).rec);
      for (const [k, f] of Object.entries(rec || {})) {
        const plain = /^[a-z]+$/.test(k) && k !== 'if';
        const has = `${text} has ${plain && this.r.chance(0.8) ? k : JSON.stringify(k)}`;
        walk(plain && this.r.chance(0.8) ? `${text}.${k}` : `${text}[${JSON.stringify(k)}]`, f.t,
          f.req ? (this.r.chance(0.1) ? guards.concat([has]) : guards) : guards.concat([has]), depth - 1);
      }
      if (t.ent && entity(t.ent) && entity(t.ent).tags) {
        const key = this.r.chance(0.7) ? '"k"' : this.r.pick(['"k" ', '(if true then "k" else "l")', 'context.name']);
        if (key !== 'context.name' || same((environment.context.rec.name || {}).t, 'String') && environment.context.rec.name.req)
          walk(`${text}.getTag(${key})`, entity(t.ent).tags, guards.concat([`${text}.hasTag(${key})`]), depth - 1);
      }
    };
    walk('principal', {ent: environment.principal}, [], 3);
    walk('resource', {ent: environment.resource}, [], 3);
    walk('context', environment.context, [], 3);
  }
  uid(name) {
    const e = this.entity(name);
    return `${name}::${JSON.stringify(e && e.ids && this.r.chance(0.9) ? this.r.pick(e.ids) : this.r.pick(['x', 'q', 'é']))}`;
  }
  action() {
    const a = this.r.pick(this.model.actions);
    return `${a.ns ? 'N::' : ''}Action::${JSON.stringify(this.r.chance(0.03) ? 'nope' : a.id)}`;
  }
  anyType() { return this.r.pick([...this.paths.map(p => p.t), ...SCALARS, makeType(this.r, this.model.names, 1)]); }
  anyEntity() { return {ent: this.r.chance(0.02) ? 'Zed' : this.r.pick(this.model.names)}; }
  of(t, d) {
    if (this.r.chance(this.wild)) t = this.anyType();
    if (d <= 0) return this.leaf(t);
    const known = this.paths.filter(p => same(p.t, t));
    if (known.length && this.r.chance(0.45)) return this.guarded(this.r.pick(known), t, d);
    if (t !== 'Bool' && this.r.chance(0.08)) return `(if ${this.of('Bool', d - 1)} then ${this.of(t, d - 1)} else ${this.of(t, d - 1)})`;
    if (t === 'Bool') return this.bool(d);
    return this.compound(t, d) || this.leaf(t);
  }
  guarded(p, t, d) {
    if (!p.guards.length || this.r.chance(0.04)) return p.text;
    const guard = p.guards.join(' && ');
    if (t === 'Bool' && this.r.chance(0.7)) return `(${guard} && ${p.text})`;
    return `(if ${guard} then ${p.text} else ${this.leaf(t)})`;
  }
  leaf(t) {
    const r = this.r;
    switch (t) {
      case 'Bool': return r.pick(['true', 'false', '1 == 1', 'principal == principal', 'context has a']);
      case 'Long': return r.pick(['0', '1', '-1', '9223372036854775807', '(-2)']);
      case 'String': return r.pick(['""', '"x"', '"é"', '"a\\"b"']);
      case 'decimal': return r.pick(['decimal("1.0")', 'decimal("-0.1234")', r.chance(0.1) ? 'decimal("1.23456")' : 'decimal("2.5")']);
      case 'ipaddr': return r.pick(['ip("1.2.3.4")', 'ip("::1/64")', r.chance(0.1) ? 'ip("x")' : 'ip("10.0.0.0/8")']);
      case 'datetime': return r.pick(['datetime("2024-01-01")', 'datetime("2024-01-01T00:00:00Z")', r.chance(0.1) ? 'datetime("2024-13-01")' : 'datetime("1970-01-01")']);
      case 'duration': return r.pick(['duration("1h")', 'duration("-1d2ms")', r.chance(0.1) ? 'duration("h")' : 'duration("5s")']);
    }
    if (t.ent) return this.uid(t.ent);
    if (t.set) return r.chance(0.05) ? '[]' : `[${this.leaf(t.set)}]`;
    return '{' + Object.entries(t.rec).filter(([, f]) => f.req || r.chance(0.5)).map(([k, f]) => `${JSON.stringify(k)}: ${this.leaf(f.t)}`).join(', ') + '}';
  }
  compound(t, d) {
    const r = this.r, e = x => this.of(x, d - 1);
    if (t === 'Long') return r.pick([() => `(${e('Long')} + ${e('Long')})`, () => `(${e('Long')} * ${e('Long')})`, () => `(-${e('Long')})`,
      () => `${e('duration')}.${r.pick(['toDays', 'toHours', 'toMinutes', 'toSeconds', 'toMilliseconds'])}()`])();
    if (t === 'datetime') return r.pick([() => `${e('datetime')}.offset(${e('duration')})`, () => `${e('datetime')}.toDate()`])();
    if (t === 'duration') return r.pick([() => `${e('datetime')}.durationSince(${e('datetime')})`, () => `${e('datetime')}.toTime()`])();
    if (t.set) return `[${Array.from({length: 1 + r.below(3)}, () => e(t.set)).join(', ')}]`;
    if (t.rec) return '{' + Object.entries(t.rec).filter(([, f]) => f.req).map(([k, f]) => `${JSON.stringify(k)}: ${e(f.t)}`).join(', ') + '}';
    if (r.chance(0.1)) return `{"f": ${e(t)}, "g": 1}["f"]`;
    return null;
  }
  bool(d) {
    const r = this.r, e = x => this.of(x, d - 1);
    const n = r.below(22);
    if (n < 3) return `(${Array.from({length: 2 + r.below(2)}, () => e('Bool')).join(' && ')})`;
    if (n < 5) return `(${Array.from({length: 2 + r.below(2)}, () => e('Bool')).join(' || ')})`;
    if (n === 5) return `(if ${e('Bool')} then ${e('Bool')} else ${e('Bool')})`;
    if (n === 6) return `(!${e('Bool')})`;
    if (n < 9) { const t = this.anyType(); return `(${e(t)} ${r.pick(['==', '!='])} ${e(t)})`; }
    if (n === 9) { const t = r.pick(['Long', 'datetime', 'duration']); return `(${e(t)} ${r.pick(['<', '<=', '>', '>='])} ${e(t)})`; }
    if (n === 10) { const t = this.anyEntity(), u = this.anyEntity(); return `(${e(t)} in ${r.chance(0.5) ? e(u) : e({set: u})})`; }
    if (n === 11) return `(${r.pick(['action', 'action', this.action(), 'principal', e(this.anyEntity())])} in ${r.chance(0.5) ? this.action() : `[${this.action()}, ${r.chance(0.2) ? 'action' : this.action()}]`})`;
    if (n === 12) return `(action ${r.pick(['==', '!='])} ${this.action()})`;
    if (n === 13) return `(${r.chance(0.7) ? r.pick(['principal', 'resource', 'action']) : e(this.anyEntity())} is ${r.chance(0.05) ? 'Zed' : r.chance(0.1) ? 'Action' : r.pick(this.model.names)}${r.chance(0.4) ? ' in ' + e(this.anyEntity()) : ''})`;
    if (n === 14) return `(${e('String')} like "a*\\*")`;
    if (n === 15) { const t = this.anyType(); return r.chance(0.3) ? `${e({set: t})}.isEmpty()` : `${e({set: t})}.contains(${e(t)})`; }
    if (n === 16) { const t = this.anyType(); return `${e({set: t})}.${r.pick(['containsAll', 'containsAny'])}(${e({set: t})})`; }
    if (n === 17) { const p = r.pick(this.paths); return `(${p.guards.length && r.chance(0.8) ? p.guards.join(' && ') + ' && ' : ''}${p.text} has ${r.pick(['a', 'b', 'name', '"a b"', 'a.b', 'c.name', 'a.b.c'])})`; }
    if (n === 18) { const p = r.pick(this.paths); return `(${p.guards.length && r.chance(0.9) ? p.guards.join(' && ') + ' && ' : ''}${p.text}.hasTag(${e('String')}))`; }
    if (n === 19) return `${e('decimal')}.${r.pick(['lessThan', 'greaterThanOrEqual'])}(${r.chance(0.03) ? '' : e('decimal')})`;
    if (n === 20) return r.chance(0.5) ? `${e('ipaddr')}.${r.pick(['isIpv4', 'isLoopback', 'isMulticast'])}()` : `${e('ipaddr')}.isInRange(${e('ipaddr')})`;
    const known = this.paths.filter(p => p.guards.length);
    if (!known.length) return 'true';
    const p = r.pick(known), t = p.t;
    const guards = r.chance(0.9) ? p.guards.join(' && ') : r.chance(0.5) ? p.guards.slice(1).join(' && ') : p.guards.join(' || ');
    return `(${guards || 'true'} && ${p.text} == ${e(t)})`;
  }
}

function scope(r, model, x, variable, type, slots) {
  const n = r.below(12);
  if (n < 5) return variable;
  if (n < 7) return `${variable} is ${r.chance(0.8) ? type : r.pick(model.names)}`;
  if (n === 7) return `${variable} == ${x.uid(r.chance(0.7) ? type : r.pick(model.names))}`;
  if (n === 8) return `${variable} is ${type} in ${slots && r.chance(0.5) ? '?' + variable : x.uid(r.pick(model.names))}`;
  if (n === 9 && slots) return `${variable} ${r.pick(['==', 'in'])} ?${variable}`;
  return `${variable} in ${x.uid(r.chance(0.02) ? 'Zed' : r.pick(model.names))}`;
}

function policyText(r, model) {
  const applicable = model.actions.filter(a => a.principals.length);
  const a = applicable.length ? r.pick(applicable) : {ns: '', id: 'last', principals: [model.names[0]], resources: [model.names[0]], context: {rec: {}}};
  const environment = {principal: r.pick(a.principals), resource: r.pick(a.resources), context: a.context};
  const x = new Expressions(r, model, environment, r.chance(0.5) ? 0 : 0.06);
  const slots = r.chance(0.1);
  const own = `${a.ns ? 'N::' : ''}Action::${JSON.stringify(a.id)}`;
  const action = r.pick(['action', `action == ${own}`, `action == ${own}`, `action == ${own}`, `action in ${own}`, `action in [${own}, ${x.action()}]`, `action in ${x.action()}`,
    r.chance(0.1) ? 'action in []' : `action == ${own}`]);
  let text = `${r.pick(['permit', 'forbid'])}(${r.chance(0.7) ? `principal is ${environment.principal}` : scope(r, model, x, 'principal', environment.principal, slots)}, ${action}, ${
    scope(r, model, x, 'resource', environment.resource, slots)})`;
  for (let i = r.below(3); i >= 0; --i) text += ` ${r.chance(0.85) ? 'when' : 'unless'} { ${x.of('Bool', 1 + r.below(4))} }`;
  return text + ';';
}

// Case number `index` of the run `seed`: {schema, policies}.
function makeCase(seed, index) {
  const r = random(Math.imul(seed, 0x9e3779b1) ^ Math.imul(index + 1, 0x85ebca6b));
  for (let i = 0; i < 4; ++i) r.below(2);
  const model = makeModel(r);
  let schema = schemaText(r, model);
  if (r.chance(0.03)) schema = schema.replace(r.pick(['Long', 'A', 'N::', ';', '?', 'principal', 'Set<']), r.pick(['', 'B', 'N::', 'x', '[]']));
  return {schema, policies: Array.from({length: 4}, () => policyText(r, model))};
}

module.exports = {makeCase, makeModel, schemaText, policyText, random};
