// The shape every bench prints: one JSON object, or the same as a table.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

export function report(bench, rows, ratios, json) {
  const cpu = /model name\s*: (.*)/.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1] ?? 'unknown';
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
  if (json) return console.log(JSON.stringify({ bench, commit, cpu, rows, ratios }));
  console.log(`${bench}, ${commit}, ${cpu}`);
  console.table(rows);
  for (const [name, value] of Object.entries(ratios)) console.log(`${name}: ${value}`);
}
export const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
