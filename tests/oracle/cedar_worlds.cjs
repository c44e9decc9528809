// Random worlds to decide in, by seed: policies, templates with links, entities and requests. Used by cedar_decide.cjs. No schema: operands are mostly of
// the type their operator takes, and often enough not, so that each operator is asked with everything and every kind of error comes about.
// An expression is a tree, {k: children, t: their texts -> text}, so that it can be made smaller.
'use strict';
const {random} = require('./cedar_cases.cjs');

const IDS = ['a', 'b', 'c', 'top', '', 'é', 'a"b\n', '*'];
const TYPES = ['User', 'Group', 'N::Doc', 'A::B::C'];
const NAMES = ['n', 'm', 'b', 's', 'e', 'set', 'es', 'r', 'd', 'ip', 't', 'du', 'x y', 'if', ''];
const STRINGS = ['', 'a', 'abc', 'a*b', '*', 'e\u0301', '\u00e9', '\ud83d\ude00x', 'n', '1.5', '10.0.0.1', '\u0000\t"\\', '2024-01-01'];
const PATTERNS = ['', '*', 'a*', '*b*', 'a\\*b', '**', 'é*', '\\u{2a}', '*a*b*c*', '\\u{1F600}x'];
const DECIMALS = ['1.0', '-0.5', '922337203685477.5807', '0.0001', '-922337203685477.5808', '12.34'];
const IPS = ['127.0.0.1', '10.0.0.0/8', '10.1.2.3/16', '::1', 'fe80::/10', 'ff02::1', '224.0.0.1', '0.0.0.0/0', '1:2:3:4:5:6:7:8/64', '::/0'];
const DATETIMES = ['2024-01-01', '1970-01-01T00:00:00Z', '0000-01-01', '9999-12-31T23:59:59.999Z', '2024-02-29T12:00:00.001+0130', '1969-12-31T23:59:59.999-2359'];
const DURATIONS = ['0ms', '1d', '-1d2h3m4s5ms', '1h', '9223372036854775807ms', '-9223372036854775808ms', '90m'];
const BAD = {decimal: ['1', '1.23456', '+1.0', '922337203685477.5808', 'x'], ip: ['1.2.3', '010.0.0.1', '::1/129', '1.2.3.4/33', '::ffff:1.2.3.4', ''],
  datetime: ['2024-13-01', '2023-02-29', '2024-01-01T24:00:00Z', '2024-01-01T00:00:00', '2024-1-1'], duration: ['', '1', 'h', '1h1d', '1.5h', '99999999999999999999ms', '9223372036854775807s']};
const LONGS = ['0', '1', '2', '-1', '7', '1000', '9223372036854775807', '-9223372036854775808', '3037000500', '9007199254740993'];
const UNITS = ['toMilliseconds', 'toSeconds', 'toMinutes', 'toHours', 'toDays'];
const METHODS = ['lessThan', 'lessThanOrEqual', 'greaterThan', 'greaterThanOrEqual', 'isIpv4', 'isIpv6', 'isLoopback', 'isMulticast', 'isInRange', 'offset', 'durationSince', 'toDate', 'toTime', ...UNITS];
const KINDS = ['Bool', 'Long', 'String', 'Entity', 'Set', 'Record', 'decimal', 'ip', 'datetime', 'duration'];
const KIND_OF = {n: 'Long', m: 'Long', b: 'Bool', s: 'String', e: 'Entity', set: 'Set', es: 'Set', r: 'Record', d: 'decimal', ip: 'ip', t: 'datetime', du: 'duration'};

const plain = name => /^[a-z]+$/.test(name) && name !== 'if';
const quote = s => '"' + [...s].map(c => c === '"' || c === '\\' ? '\\' + c : c.codePointAt(0) < 32 ? `\\u{${c.codePointAt(0).toString(16)}}` : c).join('') + '"';
const uidText = u => `${u.type}::${quote(u.id)}`;
const leaf = text => ({k: [], t: () => text});
const node = (k, t) => ({k, t});
const print = e => e.t(e.k.map(print));

class World {
  constructor(r) {
    this.r = r;
    this.ids = r.chance(0.8) ? ['a', 'b', 'top'] : IDS;
    this.wild = r.pick([0.02, 0.08, 0.25]);
  }
  uid() { return {type: this.r.chance(0.7) ? this.r.pick(TYPES.slice(0, 2)) : this.r.pick(TYPES), id: this.r.pick(this.ids)}; }
  actionUid() { return {type: this.r.chance(0.8) ? 'Action' : 'N::Action', id: this.r.pick(['x', 'y', 'all', 'é'])}; }

  // ---- Data, in Cedar's JSON. Numbers stay where JavaScript's do not lose digits.
  value(kind, depth = 2) {
    const r = this.r;
    if (r.chance(this.wild)) kind = r.pick(KINDS);
    switch (kind) {
      case 'Bool': return r.chance(0.5);
      case 'Long': return r.pick([0, 1, 2, -1, 7, 1000, 9007199254740991, -9007199254740991]);
      case 'String': return r.pick(STRINGS);
      case 'Entity': return {__entity: r.chance(0.9) ? this.uid() : this.actionUid()};
      case 'Set': return Array.from({length: r.below(4)}, () => this.value(r.pick(depth > 0 ? KINDS : ['Long', 'Entity', 'String']), depth - 1));
      case 'Record': return depth > 0 ? this.record(depth - 1) : {};
      case 'decimal': return {__extn: {fn: 'decimal', arg: r.pick(DECIMALS)}};
      case 'ip': return {__extn: {fn: 'ip', arg: r.pick(IPS)}};
      case 'datetime': return {__extn: {fn: 'datetime', arg: r.pick(DATETIMES)}};
      default: return {__extn: {fn: 'duration', arg: r.pick(DURATIONS)}};
    }
  }
  record(depth) {
    const out = {};
    for (const name of NAMES) if (this.r.chance(KIND_OF[name] ? 0.6 : 0.15)) out[name] = name === 'es' ? [this.value('Entity', 0), this.value('Entity', 0)] : this.value(KIND_OF[name] || this.r.pick(KINDS), depth);
    return out;
  }
  entities() {
    const r = this.r, out = [], all = [];
    for (const type of TYPES) for (const id of this.ids) if (r.chance(0.6)) all.push({type, id});
    all.forEach((uid, i) => {
      const entity = {uid, attrs: r.chance(0.85) ? this.record(1) : {}, parents: r.some(all.slice(i + 1).concat([{type: 'Group', id: 'nobody'}]), 2)};
      if (r.chance(0.4)) entity.tags = Object.fromEntries(r.some(['a', 'n', '', 'é'], 3).map(k => [k, this.value(r.pick(KINDS), 1)]));
      out.push(entity);
    });
    const parents = p => r.chance(0.6) ? [p] : [];
    if (r.chance(0.8)) out.push({uid: {type: 'Action', id: 'x'}, attrs: {}, parents: parents({type: 'Action', id: 'all'})});
    if (r.chance(0.6)) out.push({uid: {type: 'Action', id: 'y'}, attrs: {}, parents: parents({type: 'N::Action', id: 'all'})});
    if (r.chance(0.4)) out.push({uid: {type: 'Action', id: 'all'}, attrs: {}, parents: parents({type: 'Action', id: 'é'})});
    return out;
  }
  request() { return {principal: this.uid(), action: this.actionUid(), resource: this.uid(), context: this.record(2)}; }

  // ---- Expressions
  of(kind, d) {
    const r = this.r;
    if (r.chance(this.wild)) kind = r.pick(KINDS);
    if (d <= 0) return this.leaf(kind);
    if (r.chance(0.3)) return this.path(kind, d);
    if (r.chance(0.06)) return node([this.of('Bool', d - 1), this.of(kind, d - 1), this.of(kind, d - 1)], k => `(if ${k[0]} then ${k[1]} else ${k[2]})`);
    switch (kind) {
      case 'Bool': return this.bool(d);
      case 'Long': return this.long(d);
      case 'Set': return node(Array.from({length: r.below(4)}, () => this.of(r.pick(KINDS), d - 2)), k => `[${k.join(', ')}]`);
      case 'Record': return node(r.some(NAMES, 3).map(() => this.of(r.pick(KINDS), d - 2)), (names => k => `{${k.map((v, i) => `${names[i]}: ${v}`).join(', ')}}`)(this.keys()));
      case 'datetime': return this.method(r.pick(['offset', 'toDate']), d);
      case 'duration': return this.method(r.pick(['durationSince', 'toTime']), d);
      default: return this.leaf(kind);
    }
  }
  keys() { return [...NAMES].sort(() => this.r.below(3) - 1).map(n => plain(n) && this.r.chance(0.7) ? n : quote(n)); }
  leaf(kind) {
    const r = this.r;
    const made = (name, good) => { const bad = r.chance(0.12); return leaf(r.chance(0.03) ? `${name}(${r.pick(['', '"1.0", 2', '1', 'context.s'])})` : `${name}(${quote(r.pick(bad ? BAD[name] : good))})`); };
    switch (kind) {
      case 'Bool': return leaf(r.pick(['true', 'false', '1 == 1']).replace(/^1.*/, '(1 == 1)'));
      case 'Long': return leaf((n => n.startsWith('-') ? `(${n})` : n)(r.pick(LONGS)));
      case 'String': return leaf(quote(r.pick(STRINGS)));
      case 'Entity': return leaf(r.chance(0.4) ? r.pick(['principal', 'resource', 'action']) : uidText(r.chance(0.9) ? this.uid() : this.actionUid()));
      case 'Set': return leaf(r.pick(['[]', '[1, 2]', '["a", principal]', '[User::"a", Group::"top"]', 'context.set']));
      case 'Record': return leaf(r.pick(['{}', '{n: 1}', 'context', 'context.r']));
      case 'decimal': return made('decimal', DECIMALS);
      case 'ip': return made('ip', IPS);
      case 'datetime': return made('datetime', DATETIMES);
      default: return made('duration', DURATIONS);
    }
  }
  owner(d) {
    const r = this.r, n = r.below(10);
    if (n < 3) return leaf('context');
    if (n < 6) return leaf(r.pick(['principal', 'resource']));
    if (n < 7) return this.of('Entity', d - 1);
    if (n < 8) return this.of('Record', d - 1);
    return this.access(this.owner(d - 1), n < 9 ? 'r' : 'e');
  }
  access(owner, name) { const dot = plain(name) && this.r.chance(0.85); return node([owner], k => dot ? `${k[0]}.${name}` : `${k[0]}[${quote(name)}]`); }
  name(kind) { const fit = NAMES.filter(n => KIND_OF[n] === kind); return fit.length && this.r.chance(0.93) ? this.r.pick(fit) : this.r.pick(NAMES); }
  path(kind, d) {
    const r = this.r, owner = this.owner(d - 1);
    if (r.chance(0.12)) return node([this.of('Entity', d - 1), r.chance(0.8) ? leaf(quote(r.pick(['a', 'n', '', 'é']))) : this.of('String', d - 1)], k => `${k[0]}.getTag(${k[1]})`);
    const name = this.name(kind), to = this.access(owner, name);
    if (r.chance(0.5)) return to;
    return node([owner, to, this.leaf(kind)], k => `(if ${k[0]} has ${plain(name) ? name : quote(name)} then ${k[1]} else ${k[2]})`);
  }
  long(d) {
    const r = this.r, e = () => this.of('Long', d - 1), n = r.below(8);
    if (n < 6) return node([e(), e()], (op => k => `(${k[0]} ${op} ${k[1]})`)(r.pick(['+', '-', '*', '+'])));
    if (n < 7) return node([e()], k => `(-${k[0]})`);
    return this.method(r.pick(UNITS), d);
  }
  method(name, d) {
    const r = this.r, e = kind => this.of(kind, d - 1);
    if (r.chance(0.03)) return node([e(r.pick(KINDS)), ...Array.from({length: r.below(3)}, () => e(r.pick(KINDS)))], (m => k => `${k[0]}.${m}(${k.slice(1).join(', ')})`)(r.pick(METHODS)));
    const types = name.startsWith('is') ? (name === 'isInRange' ? ['ip', 'ip'] : ['ip']) : /Than/.test(name) ? ['decimal', 'decimal'] : name === 'offset' ? ['datetime', 'duration']
      : name === 'durationSince' ? ['datetime', 'datetime'] : name === 'toDate' || name === 'toTime' ? ['datetime'] : ['duration'];
    return node(types.map(e), k => `${k[0]}.${name}(${k.slice(1).join(', ')})`);
  }
  bool(d) {
    const r = this.r, e = kind => this.of(kind, d - 1), any = () => e(r.pick(KINDS)), n = r.below(26);
    const infix = (kids, op) => node(kids, k => `(${k.join(` ${op} `)})`);
    const call = (kids, name) => node(kids, k => `${k[0]}.${name}(${k.slice(1).join(', ')})`);
    if (n < 4) return infix(Array.from({length: 2 + r.below(2)}, () => e('Bool')), '&&');
    if (n < 6) return infix(Array.from({length: 2 + r.below(2)}, () => e('Bool')), '||');
    if (n === 6) return node([e('Bool')], (not => k => `(${not}${k[0]})`)(r.chance(0.1) ? '!!' : '!'));
    if (n === 7) { const kind = r.pick(KINDS); return infix([e(kind), e(kind)], r.pick(['==', '!='])); }
    if (n === 8) return infix([any(), any()], r.pick(['==', '!=']));
    if (n < 11) { const kind = r.pick(['Long', 'Long', 'datetime', 'duration']); return infix([e(kind), e(kind)], r.pick(['<', '<=', '>', '>='])); }
    if (n < 14) return infix([e('Entity'), r.chance(0.6) ? e('Entity') : r.chance(0.3) ? e('Set') : node(Array.from({length: r.below(4)}, () => e('Entity')), k => `[${k.join(', ')}]`)], 'in');
    if (n === 14) return node([e('Entity'), e('Entity')], ((type, deep) => k => deep ? `(${k[0]} is ${type} in ${k[1]})` : `(${k[0]} is ${type})`)(r.pick([...TYPES, 'Action']), r.chance(0.5)));
    if (n < 17) return node([this.owner(d - 1)], (names => k => `(${k[0]} has ${names})`)(r.chance(0.6) ? r.pick(NAMES.map(x => plain(x) ? x : quote(x))) : Array.from({length: 2 + r.below(2)}, () => r.pick(['r', 'e', 'n', 'b'])).join('.')));
    if (n === 17) return call([e('Entity'), r.chance(0.8) ? leaf(quote(r.pick(['a', 'n', '', 'é']))) : e('String')], 'hasTag');
    if (n === 18) return node([e('String')], (p => k => `(${k[0]} like "${p}")`)(r.pick(PATTERNS)));
    if (n === 19) return call([e('Set'), any()], 'contains');
    if (n === 20) return call([e('Set'), e('Set')], r.pick(['containsAll', 'containsAny']));
    if (n === 21) return call([e('Set')], 'isEmpty');
    if (n === 22) return this.method(r.pick(['lessThan', 'lessThanOrEqual', 'greaterThan', 'greaterThanOrEqual']), d);
    if (n === 23) return this.method(r.pick(['isIpv4', 'isIpv6', 'isLoopback', 'isMulticast', 'isInRange', 'isInRange']), d);
    return this.path('Bool', d);
  }

  // ---- Policies
  scope(variable, slot) {
    const r = this.r, n = r.below(10), ref = () => slot ? `?${variable}` : uidText(this.uid());
    if (slot) return r.pick([`${variable} == ${ref()}`, `${variable} in ${ref()}`, `${variable} is ${r.pick(TYPES)} in ${ref()}`]);
    if (n < 6 || r.chance(0.2)) return variable;
    if (n === 6) return `${variable} == ${ref()}`;
    if (n === 7) return `${variable} in ${ref()}`;
    if (n === 8) return `${variable} is ${r.pick(TYPES)} in ${ref()}`;
    return `${variable} is ${r.pick(TYPES)}`;
  }
  action() {
    const r = this.r, n = r.below(8), uid = () => uidText(this.actionUid());
    if (n < 4) return 'action';
    if (n < 5) return `action == ${uid()}`;
    if (n === 5) return `action in ${uid()}`;
    return `action in [${Array.from({length: r.below(4)}, uid).join(', ')}]`;
  }
  policy(id, simple) {
    const r = this.r, slots = !simple && r.chance(0.12) ? r.pick([['principal'], ['resource'], ['principal', 'resource']]) : [];
    const conditions = r.chance(simple ? 0.7 : 0.12) ? [] : Array.from({length: 1 + r.below(2)}, () => ({word: r.chance(0.8) ? 'when' : 'unless', e: this.of('Bool', r.chance(0.3) ? 1 : 1 + r.below(simple ? 2 : 5))}));
    const out = {id, effect: r.pick(['permit', 'permit', 'forbid']), principal: this.scope('principal', slots.includes('principal')), action: this.action(),
      resource: this.scope('resource', slots.includes('resource')), conditions, links: []};
    if (slots.length) for (let i = r.below(3); i > 0; --i) out.links.push({id: `${id}l${i}`, values: Object.fromEntries(slots.map(s => [`?${s}`, this.uid()]))});
    out.template = slots.length > 0;
    return out;
  }
}

const policyText = p => `${p.effect}(${p.principal}, ${p.action}, ${p.resource})${p.conditions.map(c => ` ${c.word} { ${print(c.e)} }`).join('')};`;
// A link, as the policy that it stands for.
const linkText = (p, link) => policyText({...p, ...Object.fromEntries(['principal', 'resource'].map(v => [v, p[v].replace(`?${v}`, () => uidText(link.values[`?${v}`] || {type: 'X', id: ''}))]))});

// World number `index` of the run `seed`: {policies, entities, requests}.
function makeWorld(seed, index) {
  const r = random(Math.imul(seed, 0x9e3779b1) ^ Math.imul(index + 1, 0x85ebca6b));
  for (let i = 0; i < 4; ++i) r.below(2);
  const world = new World(r);
  const many = r.chance(0.05);  // enough for the index to be asked
  const count = many ? 30 + r.below(40) : 1 + r.below(6);
  const policies = Array.from({length: count}, (_, i) => world.policy(`p${i}`, many));
  return {policies, entities: world.entities(), requests: Array.from({length: 8}, () => world.request())};
}

module.exports = {makeWorld, policyText, linkText, leaf, print};
