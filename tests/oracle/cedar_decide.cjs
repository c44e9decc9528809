// cedar_decide.cjs PROGRAM CASES [SEED [FIRST]]: makes random worlds of eight requests each until CASES requests have been decided, and compares PROGRAM
// (cedar_decide.cc) with the reference engine: decision, reasons, which policies err and with what message. FIRST: the world to begin with. A world that
// they disagree on is made smaller and printed; the same seed makes the same worlds. PROGRAM itself compares its index with a scan, and partial evaluation
// with the whole. Exit 0: no disagreement; 1: some. Every SLICE worlds it says where the next begins: that is FIRST for going on after an interruption.
'use strict';
const {spawn} = require('node:child_process');
const readline = require('node:readline');
const {once} = require('node:events');
const cedar = require('@cedar-policy/cedar-wasm/nodejs');
const {inSlices, task, answer} = require('./slices.cjs');
const {makeWorld, policyText, linkText, leaf} = require('./cedar_worlds.cjs');

const [program, cases, seed, first] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4] || 1), Number(process.argv[5] || 0)];
const SLICE = 2500;   // worlds for one process
const SHOWN = 5;      // disagreements
const SMALLER = 400;  // tries to make one smaller

let child, lines;  // of a slice: PROGRAM, and what it answers

async function ours(world) {
  const policies = world.policies.flatMap(p => [{id: p.id, text: policyText(p)}, ...p.links.map(l => ({id: l.id, text: linkText(p, l)}))]);
  if (!child.stdin.write(JSON.stringify({policies, entities: JSON.stringify(world.entities), requests: world.requests}) + '\n')) await once(child.stdin, 'drain');
  const {value, done} = await lines.next();
  if (done) throw new Error(`${program} ended`);
  return JSON.parse(value);
}

function theirs(world) {
  const policies = {staticPolicies: {}, templates: {}, templateLinks: []};
  for (const p of world.policies) {
    policies[p.template ? 'templates' : 'staticPolicies'][p.id] = policyText(p);
    for (const l of p.links) policies.templateLinks.push({templateId: p.id, newId: l.id, values: l.values});
  }
  const prepared = cedar.preparsePolicySet('s', policies);
  if (prepared.type !== 'success') return {refused: 'policies', why: prepared.errors};
  const answers = [];
  for (const request of world.requests) {
    const answer = cedar.statefulIsAuthorized({...request, entities: world.entities, preparsedPolicySetId: 's', validateRequest: false});
    if (answer.type !== 'success') return {refused: 'data', why: answer.errors};
    const {decision, diagnostics} = answer.response;
    answers.push({decision, reason: diagnostics.reason.sort(), errors: diagnostics.errors.map(e => `${e.policyId}: ${e.error.message}`).sort()});
  }
  return {answers};
}

// What they say differently, or null.
async function difference(world) {
  const mine = await ours(world), other = theirs(world);
  if ((mine.refused || '') !== (other.refused || '')) return {ours: mine, theirs: other};
  if (mine.broken) return {ours: mine};
  if (mine.refused) return null;
  for (let i = 0; i < world.requests.length; ++i) {
    const [a, b] = [mine, other].map(one => JSON.stringify(one.answers[i], ['decision', 'reason', 'errors']));
    if (a !== b) return {request: i, ours: mine.answers[i], theirs: other.answers[i]};
  }
  return {none: other};
}
const disagrees = async world => { const d = await difference(world); return d !== null && !d.none ? d : null; };

// Every world that has one thing less.
function* smaller(world) {
  const {policies, entities, requests} = world;
  if (requests.length > 1) for (const request of requests) yield {...world, requests: [request]};
  for (let i = 0; i < policies.length; ++i) if (policies.length > 1) yield {...world, policies: policies.filter((_, j) => j !== i)};
  for (let i = 0; i < entities.length; ++i) yield {...world, entities: entities.filter((_, j) => j !== i)};
  for (let i = 0; i < policies.length; ++i) {
    const p = policies[i], set = change => ({...world, policies: policies.map((q, j) => j === i ? {...q, ...change} : q)});
    if (p.links.length) yield set({links: p.links.slice(1)});
    if (p.action !== 'action') yield set({action: 'action'});
    for (const v of ['principal', 'resource']) if (p[v] !== v && !p[v].includes('?')) yield set({[v]: v});
    for (let c = 0; c < p.conditions.length; ++c) {
      yield set({conditions: p.conditions.filter((_, j) => j !== c)});
      for (const e of smallerExpressions(p.conditions[c].e)) yield set({conditions: p.conditions.map((x, j) => j === c ? {...x, e} : x)});
    }
  }
  for (let i = 0; i < entities.length; ++i) {
    const set = change => ({...world, entities: entities.map((e, j) => j === i ? {...e, ...change} : e)});
    for (const name of Object.keys(entities[i].attrs)) { const {[name]: _, ...attrs} = entities[i].attrs; yield set({attrs}); }
    for (const parent of entities[i].parents) yield set({parents: entities[i].parents.filter(p => p !== parent)});
    if (entities[i].tags) yield set({tags: undefined});
  }
  if (requests.length === 1) for (const name of Object.keys(requests[0].context)) {
    const {[name]: _, ...context} = requests[0].context;
    yield {...world, requests: [{...requests[0], context}]};
  }
}
function* smallerExpressions(e) {
  for (const kid of e.k) yield kid;
  if (e.k.length) for (const text of ['true', '1', '"a"']) yield leaf(text);
  for (let i = 0; i < e.k.length; ++i) for (const kid of smallerExpressions(e.k[i])) yield {...e, k: e.k.map((x, j) => j === i ? kid : x)};
}
async function shrink(world, found) {
  let tries = 0;
  for (let again = true; again && tries < SMALLER;) {
    again = false;
    for (const less of smaller(world)) {
      if (++tries > SMALLER) break;
      let d = null;
      try { d = await disagrees(less); } catch { break; }
      if (!d || (d.ours.refused || '') !== (found.ours.refused || '')) continue;
      [world, found, again] = [less, d, true];
      break;
    }
  }
  return {world, found};
}

async function slice({from, total}) {
  child = spawn(program, [], {stdio: ['pipe', 'pipe', 'inherit']});
  lines = readline.createInterface({input: child.stdout})[Symbol.asyncIterator]();
  const count = {worlds: 0, requests: 0, allow: 0, errors: 0, refused: 0, templates: 0, disagreements: 0};
  const wanted = cases - (total.requests || 0);
  let index = from;
  for (; index < from + SLICE && count.requests < wanted; ++index) {
    const made = makeWorld(seed, index);
    const d = await difference(made);
    ++count.worlds;
    if (d === null) { ++count.refused; continue; }
    if (d.none) {
      count.requests += made.requests.length;
      count.templates += made.policies.filter(p => p.template).length;
      for (const a of d.none.answers) { count.allow += a.decision === 'allow'; count.errors += a.errors.length > 0; }
    } else if ((total.disagreements || 0) + ++count.disagreements <= SHOWN) {
      const {world, found} = await shrink(made, d);
      console.log(`DISAGREEMENT in world ${index} of seed ${seed}\n${world.policies.map(p => `${p.id}: ${policyText(p)} ${JSON.stringify(p.links)}`).join('\n')}\n` +
        `entities: ${JSON.stringify(world.entities)}\nrequests: ${JSON.stringify(world.requests)}\n${JSON.stringify(found, null, 1)}\n`);
    }
    if (count.refused > 100 && count.refused > count.worlds / 2) throw new Error('most worlds are refused by both: the generator is broken');
  }
  child.stdin.end();
  answer(index, count);
}

async function main() {
  const began = Date.now();
  const count = await inSlices(__filename, {first, done: total => (total.requests || 0) + (total.disagreements || 0) >= cases,
    told: (total, next) => console.log(`${total.requests} requests, ${total.disagreements} disagreements, ${Math.round((Date.now() - began) / 1000)} s; next: world ${next}`)});
  console.log(`${count.requests} requests in ${count.worlds} worlds (${count.refused} refused by both; ${count.templates} templates; ${count.allow} allowed, ${count.errors} with errors), ` +
    `seed ${seed}: ${count.disagreements} disagreements`);
  process.exit(count.disagreements === 0 ? 0 : 1);
}
task ? slice(task) : main();
