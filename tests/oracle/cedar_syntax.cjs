// cedar_syntax.cjs PROGRAM CASES [SEED]: policies as JSON and their layout, ours (cedar_syntax.cc) and the reference's. CASES random policies, and all of
// the corpus ($WRIT_SHARED/corpora/cedar-dev.tar.gz) where it is there. Of each: the JSON is the reference's; the reference's JSON reads back as the same; the
// text the reference makes of our JSON means the same; the layout is the reference's and stays when laid out again. Exit 0: all agree; 1: some do not.
'use strict';
const {spawn, execFileSync} = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const readline = require('node:readline');
const {once} = require('node:events');
const {isDeepStrictEqual} = require('node:util');
const cedar = require('@cedar-policy/cedar-wasm/nodejs');
const {makeCase} = require('./cedar_cases.cjs');

const [program, cases, seed] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4] || 1)];
const SHOWN = 5;
const isTemplate = text => /\?(principal|resource)/.test(text);
const toJson = x => (isTemplate(typeof x === 'string' ? x : JSON.stringify(x)) ? cedar.templateToJson : cedar.policyToJson)(x);
const unsafe = x => typeof x === 'number' ? !Number.isSafeInteger(x) : x && typeof x === 'object' ? Object.values(x).some(unsafe) : false;

function corpus() {
  const shared = process.env.WRIT_SHARED || path.join(__dirname, '../../../shared');
  const archive = path.join(shared, 'corpora/cedar-dev.tar.gz');
  if (!fs.existsSync(archive)) {
    if (fs.existsSync(shared)) throw new Error(`no ${archive}`);
    console.log(`no corpus at ${archive}: random policies only`);
    return [];
  }
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'writ-cedar-'));
  try {
    execFileSync('tar', ['-xzf', archive, '-C', folder, '--wildcards', '*.cedar']);
    return [...new Set(fs.readdirSync(folder, {recursive: true}).filter(f => f.endsWith('.cedar')).sort().map(f => fs.readFileSync(path.join(folder, f), 'utf8')))];
  } finally { fs.rmSync(folder, {recursive: true}); }
}

// Every form of expression, with comments where people put them.
const HANDWRITTEN = [
  '@a("") @b @z("1") permit(principal is A::B, action in [Action::"x"], resource) when { context has a.b.c && -1 == --1 && -(1) == 3 };',
  'permit(principal == ?principal, action, resource is T in ?resource) unless { "a\\n*" like "b*c\\*d**" };',
  'permit(principal, action in [], resource) when { [1,].isEmpty() && {"if": 1, a: [], }["if"] > 2 - 3 - 4 * 5 };',
  '// head\n\n// second\n@id("a") // anno\n// before\npermit ( // paren\n  principal, // p\n // q\n action == Action::"x", // a\n resource // r\n) // close\n// w\nwhen { // brace\n // in\n context.a && // and\n // next\n context.b // end\n}\n;\n// eof',
  'permit(principal,action,resource) when { context.aaaaaaaaaaaaaaaaaaaaaaaaaaaa has bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb.cccccccccccccccccccccccccccccc && {a: 1}.bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb.contains(context["ccccccccccccccccccccc dddddddddddddddddddddddddddddd"], 2) };',
  'permit(principal,action,resource); forbid(principal in G::"x",action,resource) when { ip("::1").isInRange(ip("::/0")) || !(!principal.x) };'];

async function main() {
  const child = spawn(program, [], {stdio: ['pipe', 'pipe', 'inherit']});
  const lines = readline.createInterface({input: child.stdout})[Symbol.asyncIterator]();
  const count = {policies: 0, read: 0, formatted: 0, disagreements: 0};
  const disagree = (what, text, ours, theirs) => {
    if (++count.disagreements > SHOWN) return;
    const show = x => typeof x === 'string' ? x : JSON.stringify(x);
    console.log(`DISAGREEMENT: ${what}\n${text}\nours: ${show(ours)}\ntheirs: ${show(theirs)}\n`);
  };
  const compare = async text => {
    const single = cedar.policySetTextToParts(text);
    if (single.type !== 'success') return;
    const texts = [...single.policies, ...single.policy_templates];
    const theirs = texts.length === 1 ? toJson(text) : null;
    const est = theirs && theirs.type === 'success' && !unsafe(theirs.json) ? JSON.stringify(theirs.json) : undefined;
    if (!child.stdin.write(JSON.stringify({text, est}) + '\n')) await once(child.stdin, 'drain');
    const {value, done} = await lines.next();
    if (done) throw new Error(`${program} ended at\n${text}`);
    const ours = JSON.parse(value);
    ++count.policies;
    if (ours.error) return disagree('does not parse', text, ours.error, 'it does');
    if (theirs && !isDeepStrictEqual(ours.est[0], theirs.json)) disagree('the JSON', text, ours.est[0], theirs.json || theirs.errors);
    if (est) {
      ++count.read;
      if (!isDeepStrictEqual(ours.read, theirs.json)) disagree('the JSON, read back', text, ours.read, theirs.json);
      const again = (isTemplate(text) ? cedar.templateToText : cedar.policyToText)(ours.est[0]);
      if (again.type !== 'success' || !isDeepStrictEqual(toJson(again.text).json, theirs.json)) disagree('our JSON as text', text, ours.est[0], again);
    }
    const layout = cedar.formatPolicies({policyText: text, lineWidth: 80, indentWidth: 2});
    if (layout.type !== 'success') return;
    ++count.formatted;
    if (ours.format !== layout.formatted_policy) disagree('the layout', text, ours.format, layout.formatted_policy);
    if (!ours.stable) disagree('the layout of the layout', text, ours.format, '');
  };
  for (const text of HANDWRITTEN) await compare(text);
  for (const text of corpus()) await compare(text);
  for (let index = 0; count.policies < cases; ++index) for (const text of makeCase(seed, index).policies) await compare(text);
  child.stdin.end();
  console.log(`${count.policies} texts, ${count.read} read back, ${count.formatted} laid out, ${count.disagreements} disagreements`);
  process.exit(count.disagreements === 0 ? 0 : 1);
}
main();
