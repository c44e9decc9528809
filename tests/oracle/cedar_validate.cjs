// cedar_validate.cjs PROGRAM CASES [SEED [FIRST]]: makes CASES random schemas with four policies each and compares PROGRAM (cedar_validate.cc) with the reference
// engine: whether the schema is one (in both syntaxes), whether each policy passes strict validation and, if so, whether it is called impossible. The first
// disagreements are printed whole; the same seed makes the same cases. FIRST: the case to begin with. Exit 0: none; 1: some.
'use strict';
const {spawn} = require('node:child_process');
const readline = require('node:readline');
const {once} = require('node:events');
const cedar = require('@cedar-policy/cedar-wasm/nodejs');
const {inSlices, task, answer} = require('./slices.cjs');
const {makeCase} = require('./cedar_cases.cjs');

const [program, cases, seed, first] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4] || 1), Number(process.argv[5] || 0)];
const SLICE = 1000;  // cases for one process
const SHOWN = 5;

// The reference's verdicts on policies: {passed, impossible, errors} or {refused} each. In one call, since it reads the schema in each.
function ask(schema, policies) {
  const staticPolicies = {}, templates = {};
  policies.forEach((policy, i) => { (policy.includes('?principal') || policy.includes('?resource') ? templates : staticPolicies)[`p${i}`] = policy; });
  const answer = cedar.validate({schema, policies: {staticPolicies, templates}});
  if (answer.type !== 'success')
    return policies.length === 1 ? [{refused: answer.errors.map(e => e.message).join('; ')}] : policies.flatMap(policy => ask(schema, [policy]));
  return policies.map((_, i) => {
    const errors = answer.validationErrors.filter(e => e.policyId === `p${i}`).map(e => e.error.message);
    const warnings = answer.validationWarnings.filter(w => w.policyId === `p${i}`).map(w => w.error.message);
    return {passed: errors.length === 0, impossible: warnings.some(w => w.includes('policy is impossible')), errors};
  });
}

async function slice({from, total}) {
  const child = spawn(program, [], {stdio: ['pipe', 'pipe', 'inherit']});
  const lines = readline.createInterface({input: child.stdout})[Symbol.asyncIterator]();
  const count = {schemas: 0, refused: 0, validations: 0, passed: 0, impossible: 0, disagreements: 0};
  const disagree = (index, what, made, ours, theirs) => {
    if ((total.disagreements || 0) + ++count.disagreements > SHOWN) return;
    console.log(`DISAGREEMENT case ${index} of seed ${seed}: ${what}\n${made}\nours: ${JSON.stringify(ours)}\ntheirs: ${JSON.stringify(theirs)}\n`);
  };
  const end = Math.min(from + SLICE, first + cases);
  for (let index = from; index < end; ++index) {
    const made = makeCase(seed, index);
    const parsed = cedar.checkParseSchema(made.schema);
    const json = parsed.type === 'success' && index % 4 === 0 ? cedar.schemaToJson(made.schema).json : null;
    if (!child.stdin.write(JSON.stringify({schema: made.schema, json: json ? JSON.stringify(json) : undefined, policies: made.policies}) + '\n'))
      await once(child.stdin, 'drain');
    const {value, done} = await lines.next();
    if (done) throw new Error(`${program} ended at case ${index}`);
    const ours = JSON.parse(value);
    ++count.schemas;
    const accepted = parsed.type === 'success';
    if (!accepted) ++count.refused;
    if (ours.schema !== accepted) disagree(index, 'the schema', made.schema, ours.error, parsed.errors);
    if (ours.round_trip === false) disagree(index, 'the schema does not read back', made.schema, ours, null);
    if (!accepted || !ours.schema) continue;
    if (json && ours.json !== true) disagree(index, 'the JSON of the schema', JSON.stringify(json), ours.json, null);
    const answers = ask(made.schema, made.policies);
    made.policies.forEach((policy, i) => {
      const theirs = answers[i], mine = ours.policies[i];
      ++count.validations;
      if (theirs.passed) ++count.passed;
      if (theirs.impossible) ++count.impossible;
      const agree = theirs.refused ? mine.refused !== undefined : mine.passed === theirs.passed && (!theirs.passed || mine.impossible === theirs.impossible);
      if (!agree) disagree(index, `policy ${i}`, `${made.schema}\n\n${policy}`, mine, theirs);
    });
  }
  child.stdin.end();
  answer(end, count);
}

async function main() {
  const count = await inSlices(__filename, {first, done: (_, from) => from >= first + cases,
    told: (total, next) => console.log(`${total.validations} validations, ${total.disagreements} disagreements; next: case ${next}`)});
  console.log(`${count.schemas} schemas (${count.refused} refused), ${count.validations} validations (${count.passed} passed, ${count.impossible} impossible), ` +
    `seed ${seed}: ${count.disagreements} disagreements`);
  process.exit(count.disagreements === 0 ? 0 : 1);
}
task ? slice(task) : main();
