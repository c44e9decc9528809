// The page of `writ evidence trace --html` in a real browser: what a hostile agent wrote is text in it, nothing is loaded, nothing is complained
// about, verdicts have their colours by day and by night, and the keyboard folds. Skipped where there is no Chromium.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { Browser, missing } from './browser.mjs';
import { connect, fakeServer, Gateway } from './harness.mjs';

const skip = missing;
const gw = new Gateway();
let hits = 0;
const bait = createServer((_, response) => { hits++; response.end(); });
let page;
after(async () => { bait.close(); await gw.close(); });

before(async () => {
  if (skip) return;
  await new Promise((done) => bait.listen(0, '127.0.0.1', done));
  const url = `http://127.0.0.1:${bait.address().port}/hit`;
  const hostile = `</span></summary></details><img src=${url}><script src=${url}></script><link rel=stylesheet href=${url}>`
    + `<style>@import url(${url})</style><svg onload="fetch('${url}')"><meta http-equiv=refresh content="0;url=${url}">\u001b[31m\u202eevil\u2066 \u05e9\u05dc\u05d5\u05dd`;
  gw.configure(`
[[servers]]
name = "echo"
command = ["${fakeServer}", "echo", "${gw.path('echo.log')}"]
shared = true
[[domains]]
name = "echo"
sensitivity = "internal"
resources = ["echo/*"]
`);
  gw.policy('permit (principal, action, resource);');
  gw.write('task.toml', `agent = "bot"\nsubject = "person:alice"\npurpose = ${JSON.stringify(hostile)}\nprompt = ${JSON.stringify(hostile)}\n[[grants]]\ntools = ["echo/*"]\n`);
  await gw.up();
  const { task, token } = await gw.bearer(gw.path('task.toml'));
  const agent = await connect(gw.mcp, { authorization: `Bearer ${token}` });
  await agent.tool('echo__a', { text: hostile });
  await agent.tool(`echo__${hostile}`, {});
  await agent.tool('echo__<img>', {});
  for (let i = 0; i < 250; i++) await agent.tool('echo__a', { i });
  await gw.down();
  page = gw.path('page.html');
  const made = await gw.cli('evidence', 'trace', task, '--html', '--payloads', '-o', page);
  assert.equal(made.code, 0, made.err + made.out);
});

const colour = (selector) => `getComputedStyle(document.querySelector(${JSON.stringify(selector)})).color`;

for (const dark of [false, true]) {
  test(`hostile text is text, ${dark ? 'dark' : 'light'}`, { skip }, async () => {
    const browser = new Browser({ dark });
    try {
      await browser.open(pathToFileURL(page).href);
      for (const foreign of ['script', 'img', 'svg', 'iframe', 'link', 'a[href]', 'form', 'object'])
        assert.equal(await browser.evaluate(`document.querySelectorAll('${foreign}').length`), 0, foreign);
      assert.equal(await browser.evaluate("document.querySelectorAll('style').length"), 1);
      assert.match(await browser.evaluate('document.body.textContent'), /<script src=/);
      assert.doesNotMatch(await browser.evaluate('document.body.textContent'), /[\u001b\u202a-\u202e\u2066-\u2069]/);
      assert.deepEqual(browser.complaints(), []);
      assert.deepEqual(browser.requests(), [pathToFileURL(page).href]);
      assert.equal(hits, 0);

      const [permit, forbid, other] = [await browser.evaluate(colour('li.permit .y')), await browser.evaluate(colour('li.forbid .y')),
        await browser.evaluate(colour('li.other .y'))];
      assert.equal(new Set([permit, forbid, other]).size, 3, `a forbid looks like nothing else: ${permit} ${forbid} ${other}`);
      const [background, text] = await browser.evaluate('(s => [s.backgroundColor, s.color])(getComputedStyle(document.body))');
      assert.equal(background === 'rgb(255, 255, 255)', !dark, background);
      assert.notEqual(background, text);
      assert.ok(await browser.evaluate('document.documentElement.scrollWidth <= innerWidth'), 'it does not scroll sideways');
      await browser.ask('Emulation.setDeviceMetricsOverride', { width: 390, height: 800, deviceScaleFactor: 1, mobile: false });
      assert.ok(await browser.evaluate('document.documentElement.scrollWidth <= innerWidth'), 'nor on a telephone');
    } finally { await browser.close(); }
  });
}

test('the keyboard folds, and many siblings stand in groups', { skip }, async () => {
  const browser = new Browser();
  try {
    await browser.open(pathToFileURL(page).href);
    assert.equal(await browser.evaluate("document.querySelectorAll('li.group').length"), 3);
    assert.deepEqual(await browser.evaluate("[...document.querySelectorAll('li.group>details')].map(d => d.open)"), [true, false, false]);
    await browser.press('Tab', 9);
    assert.equal(await browser.evaluate('document.activeElement.localName'), 'summary');
    await browser.press('Enter', 13);
    assert.equal(await browser.evaluate('document.activeElement.parentElement.open'), true);
    await browser.press('Enter', 13);
    assert.equal(await browser.evaluate('document.activeElement.parentElement.open'), false);
  } finally { await browser.close(); }
});
