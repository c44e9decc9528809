// The Cedar engine against the reference's WASM build with its cached API (policies and schema parsed before, entities
// and request as JSON in each call, as that API has it): same machine, same run. It is the WebAssembly package,
// not the native reference: an upper bound of what the reference costs.
import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { median, report } from './report.mjs';

const require = createRequire(import.meta.url);
const wasm = require(path.resolve('build/npm/node_modules/@cedar-policy/cedar-wasm/nodejs/cedar_wasm.js'));
const folder = 'build/bench/cedar';
mkdirSync(folder, { recursive: true });

// The generated set: what rules over agents' tools look like.
function generate(count, seed = 7) {
  let state = seed;
  const random = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  const lines = [];
  for (let i = 0; i < count; i++) {
    const kind = i % 10;
    const team = `Team::"t${Math.floor(random() * Math.max(1, count / 10))}"`;
    const tool = `Action::"tool_${Math.floor(random() * 50)}"`;
    const domain = `Domain::"d${Math.floor(random() * 100)}"`;
    if (kind < 6) lines.push(`permit(principal in ${team}, action == ${tool}, resource in ${domain}) when { context.input.amount <= ${Math.floor(random() * 1000)} && context.depth < 4 };`);
    else if (kind < 8) lines.push(`permit(principal == Agent::"a${i}", action == ${tool}, resource) when { resource.owner == principal || context.input.path like "/data/${i}/*" };`);
    else if (kind < 9) lines.push(`permit(principal is Agent, action in [${tool}, Action::"tool_1"], resource in ${domain}) unless { resource.labels.contains("pii") };`);
    else lines.push(`forbid(principal, action == ${tool}, resource in ${domain}) when { context.risk > ${50 + Math.floor(random() * 50)} };`);
  }
  return lines.join('\n');
}
// The types of what is generated.
const generatedSchema = `
entity Team in [Team]; entity Agent in [Team] = {level: Long};
entity Domain; entity Doc in [Domain] = {owner: Agent, labels: Set<String>};
action ${Array.from({ length: 50 }, (_, i) => `"tool_${i}"`).join(', ')} appliesTo {
  principal: [Agent], resource: [Doc], context: {input: {amount: Long, path: String}, depth: Long, risk: Long}
};
`;
const entity = (type, id) => ({ type, id });
const agents = [
  { uid: entity('Agent', 'a7'), attrs: { level: 3 }, parents: [entity('Team', 't0')] },
  { uid: entity('Team', 't0'), attrs: {}, parents: [entity('Team', 'root')] },
  { uid: entity('Team', 'root'), attrs: {}, parents: [] },
  { uid: entity('Doc', 'x'), attrs: { owner: { __entity: entity('Agent', 'a7') }, labels: ['internal'] }, parents: [entity('Domain', 'd1')] },
  { uid: entity('Domain', 'd1'), attrs: {}, parents: [] },
];
const call = { principal: entity('Agent', 'a7'), action: entity('Action', 'tool_3'), resource: entity('Doc', 'x'),
  context: { input: { amount: 10, path: '/data/7/x' }, depth: 1, risk: 20 } };

const cases = [{ name: 'one simple policy', policies: 'permit(principal in Team::"root", action == Action::"tool_3", resource) when { context.input.amount <= 100 };', entities: agents, request: call }];
for (const count of [1, 10, 100, 1000, 10000]) cases.push({ name: `generated ${count}`, policies: generate(count), entities: agents, request: call, count });
// 10,000 whose scope cannot match, differing in the principal only: what an index by resource alone would try one by one.
cases.push({ name: 'other principals 10000', policies: Array.from({ length: 10000 }, (_, i) => `permit(principal == Agent::"b${i}", action == Action::"tool_3", resource in Domain::"d1");`).join('\n'), entities: agents, request: call, count: 10000 });

// The handwritten use cases of the corpus, where it is.
const shared = process.env.WRIT_SHARED ?? '../shared';
const archive = path.join(shared, 'corpora/cedar-dev.tar.gz');
if (existsSync(archive)) {
  const corpus = `${folder}/corpus`;
  mkdirSync(corpus, { recursive: true });
  if (!existsSync(`${corpus}/tests`)) execFileSync('tar', ['xzf', archive, '-C', corpus]);
  const root = existsSync(`${corpus}/tests`) ? corpus : `${corpus}/${readdirSync(corpus)[0]}`;
  const use = `${root}/tests/example_use_cases`;
  for (const file of readdirSync(use).filter((name) => name.endsWith('.json')).sort()) {
    const test = JSON.parse(readFileSync(`${use}/${file}`, 'utf8'));
    cases.push({ name: `use case ${file.replace('.json', '')}`, policies: readFileSync(path.join(root, test.policies), 'utf8'),
      entities: JSON.parse(readFileSync(path.join(root, test.entities), 'utf8')), request: test.requests[0], useCase: true });
  }
}

function timed(call_, count) {
  for (let i = 0; i < Math.min(100, count); i++) call_();
  const us = [];
  for (let i = 0; i < count; i++) {
    const start = process.hrtime.bigint();
    call_();
    us.push(Number(process.hrtime.bigint() - start) / 1000);
  }
  return median(us);
}
const file = (name) => name.replaceAll(' ', '_');
const rows = [];
for (const test of cases) {
  const { principal, action, resource, context } = test.request;
  const request = { principal, action, resource, context };
  writeFileSync(`${folder}/${file(test.name)}.cedar`, test.policies);
  writeFileSync(`${folder}/${file(test.name)}.entities.json`, JSON.stringify(test.entities));
  writeFileSync(`${folder}/${file(test.name)}.request.json`, JSON.stringify(request));
  const ours = JSON.parse(execFileSync('build/release/bin/cedar_decisions', [folder, file(test.name)], { encoding: 'utf8' }));
  const start = process.hrtime.bigint();
  wasm.preparsePolicySet(test.name, { staticPolicies: test.policies });
  const parse_us = Number(process.hrtime.bigint() - start) / 1000;
  const ask = () => wasm.statefulIsAuthorized({ ...request, entities: test.entities, preparsedPolicySetId: test.name });
  const answer = ask().response;
  const { reason, errors } = answer.diagnostics;
  if (answer.decision !== ours.decision || reason.length !== ours.reasons || errors.length !== ours.errors)
    throw new Error(`${test.name}: the engines disagree: ${JSON.stringify([answer, ours])}`);
  rows.push({ case: test.name, policies: ours.policies, decision: ours.decision, reasons: ours.reasons, p50_us: ours.p50_ns / 1000, p99_us: ours.p99_ns / 1000,
    parse_and_index_ms: ours.parse_us / 1000, bytes_per_policy: ours.bytes_per_policy, useCase: test.useCase,
    wasm_p50_us: +timed(ask, test.count >= 10000 ? 20 : test.count >= 1000 ? 100 : 1000).toFixed(1), wasm_parse_ms: +(parse_us / 1000).toFixed(1) });
}
// Parse, file in the index and validate together, 10,000 policies, each time in a new process.
const loads = [];
writeFileSync(`${folder}/generated_10000.cedarschema`, generatedSchema);
for (let i = 0; i < 9; i++) loads.push(JSON.parse(execFileSync('build/release/bin/cedar_load', [folder, 'generated_10000'], { encoding: 'utf8' })));
const middle = (name) => median(loads.map((load) => load[name]));
const theirStart = process.hrtime.bigint();
const theirs = wasm.validate({ schema: generatedSchema, policies: { staticPolicies: generate(10000) } });
const wasm_load_ms = Number(process.hrtime.bigint() - theirStart) / 1e6;
if (theirs.type !== 'success' || theirs.validationErrors.length) throw new Error(`the reference refuses the generated set: ${JSON.stringify(theirs).slice(0, 300)}`);
rows.push({ case: 'parse + validate + index 10000', policies: loads[0].policies, load_ms: middle('load_us') / 1000, load_cpu_ms: middle('load_cpu_us') / 1000,
  parse_and_index_ms: middle('parse_and_index_us') / 1000, validate_ms: middle('validate_us') / 1000, bytes_per_policy: middle('bytes_per_policy'),
  peak_rss_mb: +(middle('peak_rss_kb') / 1024).toFixed(1), wasm_load_ms: +wasm_load_ms.toFixed(0) });
// What tools/list asks: could any arguments be permitted, for each tool under each policy.
const possible = JSON.parse(execFileSync('build/release/bin/policy_possible', ['100', '100'], { encoding: 'utf8' }));
rows.push({ case: 'possible() for 100 tools', policies: possible.policies, tools: possible.tools, shown: possible.shown, p50_us: +possible.p50_us.toFixed(0), p99_us: +possible.p99_us.toFixed(0) });
const ratios = { note: 'the reference is @cedar-policy/cedar-wasm, the WebAssembly build, with its cached API' };
for (const row of rows) if (row.wasm_p50_us) ratios[`${row.case}: wasm/writ p50`] = +(row.wasm_p50_us / row.p50_us).toFixed(0);
ratios['parse + validate (+ index) 10000: wasm/writ'] = +(wasm_load_ms / (middle('load_us') / 1000)).toFixed(0);
ratios['peak resident memory with 10,000 policies, MB'] = +(middle('peak_rss_kb') / 1024).toFixed(1);
const used = rows.filter((row) => row.useCase);
if (used.length) ratios['use cases: highest p50 us'] = Math.max(...used.map((row) => row.p50_us));
for (const row of rows) delete row.useCase;
report('cedar', rows, ratios, process.argv[2] === '--json');
