// Long comparisons in slices: each slice of cases runs in a process of its own, for the reference engine's bindings do not give back all the memory of a
// call, and Node ends of that after some 100,000. Cases are made by seed and number, so a slice can be run again by itself.
'use strict';
const {fork} = require('node:child_process');

// Runs slices of `file` from `first` on until done(total). `told(total, next)` hears of each slice. Resolves to the total: the sums of all counts.
async function inSlices(file, {first, done, told}) {
  const total = {};
  for (let from = first; !done(total, from);) {
    const answer = await oneSlice(file, {from, total});
    for (const [name, n] of Object.entries(answer.count)) total[name] = (total[name] || 0) + n;
    from = answer.next;
    told(total, from);
  }
  return total;
}
function oneSlice(file, task) {
  return new Promise((resolve, reject) => {
    const child = fork(file, process.argv.slice(2), {env: {...process.env, ORACLE_SLICE: JSON.stringify(task)}});
    let answer = null;
    child.on('message', m => { answer = m; });
    child.on('exit', (code, signal) => {
      if (answer !== null && code === 0) resolve(answer);
      else reject(new Error(`the slice from ${task.from} on ended with ${signal || code}`));
    });
  });
}

// In a slice's process: what it is to do, {from, total}; null in the one that was started by hand.
const task = process.env.ORACLE_SLICE ? JSON.parse(process.env.ORACLE_SLICE) : null;
// Hands the answer over and ends.
function answer(next, count) { process.send({next, count}, () => process.exit(0)); }

module.exports = {inSlices, task, answer};
