// cedar_accept.cjs PROGRAM CASES [SEED [FIRST]]: texts and data that are almost right (cedar_mutants.cjs): does PROGRAM (cedar_accept.cc) take what the
// reference engine takes, and refuse what it refuses? Policies and schemas as text and JSON, links, and requests with entities under a schema, whose decision,
// reasons and errors are compared too. Exit 0: no disagreement; 1: some. FIRST: the case to begin with.
'use strict';
const {spawn} = require('node:child_process');
const readline = require('node:readline');
const {once} = require('node:events');
const {isDeepStrictEqual} = require('node:util');
const reference = '@cedar-policy/cedar-wasm/nodejs';
const {inSlices, task, answer} = require('./slices.cjs');
const {makeMutant} = require('./cedar_mutants.cjs');

const [program, cases, seed, first] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4] || 1), Number(process.argv[5] || 0)];
const SLICE = 5000;
const SHOWN = Number(process.env.ORACLE_SHOWN || 5);
const unsafe = x => typeof x === 'number' ? !Number.isSafeInteger(x) : x && typeof x === 'object' ? Object.values(x).some(unsafe) : false;
let cedar = require(reference);
// What the reference says: its bindings throw where the JSON has not even the shape that they expect. Null where it breaks down; it is then started anew.
function asked(call) {
  try { return call(); } catch (error) {
    if (!(error instanceof WebAssembly.RuntimeError)) return {type: 'failure', errors: [error]};
    delete require.cache[require.resolve(reference)];
    cedar = require(reference);
    return null;
  }
}
const messages = errors => errors.map(e => e.message).join('; ');
// Refused on purpose (docs/cedar.md): in policies and entities as JSON members that the reference ignores, an `__entity` or `__extn` that is none, which
// the reference takes for a record with such a member, and a method without a receiver; in all JSON an array where an object belongs.
const STRICTER = {
  est: /unknown member|unexpected member|has no member|\/__(entity|extn)[^`]*`: expected|either an `entity` or a `slot`|expected an array of the receiver|expected an object.*but got `\[/,
  entities: /expected a literal entity reference, but got `\{"__entity"|an `__extn` escape has a `fn` and/,
  schema_json: /expected an object for an? (action|entity type)/,
};

// {ask: the line for PROGRAM, theirs: {ok, error, est…}}; null where nothing can be asked.
function prepare(made) {
  switch (made.kind) {
    case 'policy': {
      const parts = asked(() => cedar.policySetTextToParts(made.text));
      if (!parts) return null;
      const theirs = {ok: parts.type === 'success', error: parts.errors && messages(parts.errors)};
      if (theirs.ok && parts.policies.length === 1 && !parts.policy_templates.length) theirs.est = cedar.policyToJson(made.text).json;
      return {ask: {kind: 'policy', text: made.text}, theirs};
    }
    case 'est': {
      const template = /\?(principal|resource)/.test(made.base);
      const read = (template ? cedar.templateToJson : cedar.policyToJson)(made.base);
      if (read.type !== 'success') return null;
      const set = {staticPolicies: {}, templates: {}, templateLinks: []};
      if (template) {
        set.templates.t = read.json;
        const values = Object.fromEntries(Object.entries(made.link).filter(([slot]) => made.base.includes(slot)));
        set.templateLinks.push({templateId: 't', newId: 'l', values});
      } else set.staticPolicies.p = read.json;
      const mutant = made.mutateJson(set);
      if (unsafe(mutant) || ['staticPolicies', 'templates', 'templateLinks'].some(k => !mutant[k] || typeof mutant[k] !== 'object')) return null;
      if (Object.values(mutant.staticPolicies).concat(Object.values(mutant.templates)).some(p => typeof p === 'string')) return null;  // text: another kind
      const checked = asked(() => cedar.checkParsePolicySet(mutant));
      if (!checked) return null;
      return {ask: {kind: 'est', text: JSON.stringify(mutant)}, theirs: {ok: checked.type === 'success', error: checked.errors && messages(checked.errors)}};
    }
    case 'schema': {
      const checked = asked(() => cedar.checkParseSchema(made.text));
      if (!checked) return null;
      return {ask: {kind: 'schema', text: made.text}, theirs: {ok: checked.type === 'success', error: checked.errors && messages(checked.errors)}};
    }
    case 'entities': {  // without a schema
      const mutant = made.chance(0.3) ? made.base : made.mutateJson(made.base);
      if (unsafe(mutant)) return null;
      const checked = asked(() => cedar.checkParseEntities({entities: mutant}));
      if (!checked) return null;
      return {ask: {kind: 'entities', text: JSON.stringify(mutant)}, theirs: {ok: checked.type === 'success', error: checked.errors && messages(checked.errors)}};
    }
    case 'typed': {
      const theirs = {ok: cedar.checkParseSchema(made.schema).type === 'success'};
      // One by one where one of them does not parse.
      const ask = policies => {
        const staticPolicies = {}, templates = {};
        policies.forEach((p, i) => { (/\?(principal|resource)/.test(p) ? templates : staticPolicies)[`p${i}`] = p; });
        const got = asked(() => cedar.validate({schema: made.schema, policies: {staticPolicies, templates}}));
        if (!got) return null;
        if (got.type !== 'success') return policies.length === 1 ? ['refused'] : policies.flatMap(p => ask([p]) || [null]);
        return policies.map((_, i) => got.validationErrors.some(e => e.policyId === `p${i}`) ? 'fails'
          : got.validationWarnings.some(w => w.policyId === `p${i}` && w.error.message.includes('policy is impossible')) ? 'impossible' : 'passes');
      };
      if (theirs.ok) theirs.verdicts = ask(made.policies);
      return theirs.ok && (!theirs.verdicts || theirs.verdicts.includes(null)) ? null : {ask: made, theirs};
    }
    case 'schema_json': {
      const read = cedar.schemaToJson(made.base);
      if (read.type !== 'success') return null;
      const mutant = made.mutateJson(read.json), checked = asked(() => cedar.checkParseSchema(mutant));
      if (!checked) return null;
      return {ask: {kind: 'schema_json', text: JSON.stringify(mutant)}, theirs: {ok: checked.type === 'success', error: checked.errors && messages(checked.errors)}};
    }
    default: {
      const {schema, policies, entities, principal, action, resource, context} = made;
      if (cedar.checkParseSchema(schema).type !== 'success') return null;
      const got = asked(() => cedar.isAuthorized({schema, validateRequest: true, policies: {staticPolicies: policies}, entities, principal, action, resource, context}));
      if (!got) return null;
      const theirs = {ok: got.type === 'success', error: got.errors && messages(got.errors)};
      if (theirs.ok) {
        const {decision, diagnostics} = got.response;
        Object.assign(theirs, {decision, reason: diagnostics.reason.sort(), errors: diagnostics.errors.map(e => `${e.policyId}: ${e.error.message}`).sort()});
      }
      return {ask: {...made, entities: JSON.stringify(entities)}, theirs};
    }
  }
}

async function slice({from, total}) {
  const child = spawn(program, [], {stdio: ['pipe', 'pipe', 'inherit']});
  const lines = readline.createInterface({input: child.stdout})[Symbol.asyncIterator]();
  const count = {cases: 0, stricter: 0, disagreements: 0};
  const end = Math.min(from + SLICE, first + cases);
  for (let index = from; index < end; ++index) {
    const made = makeMutant(seed, index), prepared = prepare(made);
    if (!prepared) continue;
    const {ask, theirs} = prepared;
    if (!child.stdin.write(JSON.stringify(ask) + '\n')) await once(child.stdin, 'drain');
    const {value, done} = await lines.next();
    if (done) throw new Error(`${program} ended at case ${index}`);
    const ours = JSON.parse(value);
    ++count.cases;
    count[`${made.kind}`] = (count[made.kind] || 0) + 1;
    count[`${made.kind}_taken`] = (count[`${made.kind}_taken`] || 0) + theirs.ok;
    let what = ours.ok !== theirs.ok ? 'whether it is taken' : null;
    if (ours.ok && theirs.ok && theirs.est && !unsafe(theirs.est) && !isDeepStrictEqual(ours.est, theirs.est)) what = 'the JSON';
    if (ours.ok && theirs.ok && made.kind === 'data' && !['decision', 'reason', 'errors'].every(k => isDeepStrictEqual(ours[k], theirs[k]))) what = 'the answer';
    if (ours.ok && theirs.ok && made.kind === 'typed') {
      count.validations = (count.validations || 0) + made.policies.length;
      const i = made.policies.findIndex((_, n) => ours.verdicts[n].split(':')[0] !== theirs.verdicts[n]);
      if (i >= 0) what = `policy ${i}: ${made.policies[i]}`;
    }
    if (what && !ours.ok && STRICTER[made.kind] && STRICTER[made.kind].test(ours.error)) { ++count.stricter; continue; }
    if (what && (total.disagreements || 0) + ++count.disagreements <= SHOWN)
      console.log(`DISAGREEMENT case ${index} of seed ${seed}, ${made.kind}: ${what}\n${ask.text || JSON.stringify(ask, null, 1)}\nours: ${JSON.stringify(ours)}\ntheirs: ${JSON.stringify(theirs)}\n`);
  }
  child.stdin.end();
  answer(end, count);
}

async function main() {
  const count = await inSlices(__filename, {first, done: (_, from) => from >= first + cases,
    told: (total, next) => console.log(`${total.cases} cases, ${total.disagreements} disagreements; next: case ${next}`)});
  const kinds = ['policy', 'est', 'schema', 'schema_json', 'typed', 'data', 'entities'].map(k => `${k} ${count[k] || 0}, ${count[k + '_taken'] || 0} of them taken`).join('; ');
  console.log(`${count.cases} cases (${kinds}; ${count.validations} validations; ${count.stricter} refused on purpose), seed ${seed}: ${count.disagreements} disagreements`);
  process.exit(count.disagreements === 0 ? 0 : 1);
}
task ? slice(task) : main();
