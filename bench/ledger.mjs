import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { report } from './report.mjs';

mkdirSync('build/bench', { recursive: true });
const out = execFileSync('build/release/bin/ledger_bench', ['build/bench'], { encoding: 'utf8' });
const rows = out.trim().split('\n').map((line) => JSON.parse(line));
report('ledger', rows, { '1024 callers/1 caller durable_per_s': (rows[3].durable_per_s / rows[0].durable_per_s).toFixed(1) }, process.argv[2] === '--json');
