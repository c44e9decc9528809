// A headless Chromium, spoken to over its pipe (Chrome DevTools Protocol); nothing but the binary is needed.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const chromium = process.env.CHROMIUM ?? '/usr/bin/chromium';
export const missing = existsSync(chromium) ? false : `${chromium} is not installed (Debian: chromium)`;

export class Browser {
  constructor({ dark = false } = {}) {
    this.profile = mkdtempSync(join(tmpdir(), 'writ-chromium-'));
    this.process = spawn(chromium, ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage', `--blink-settings=preferredColorScheme=${dark ? 0 : 1}`,
      `--user-data-dir=${this.profile}`, '--remote-debugging-pipe', 'about:blank'], { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] });
    this.gone = new Promise((done) => this.process.once('exit', done));
    this.waiting = new Map();
    this.events = [];
    this.watchers = [];
    this.last = 0;
    let rest = '';
    this.process.stdio[4].on('data', (data) => {
      const parts = (rest + data).split('\0');
      rest = parts.pop();
      for (const message of parts.map((part) => JSON.parse(part))) {
        if (message.id === undefined) {
          this.events.push(message);
          this.watchers = this.watchers.filter(([method, done]) => method !== message.method || done(message) === true);
        } else {
          const [done, failed] = this.waiting.get(message.id);
          this.waiting.delete(message.id);
          if (message.error) failed(new Error(JSON.stringify(message.error))); else done(message.result);
        }
      }
    });
  }
  ask(method, params = {}) {
    const id = ++this.last;
    this.process.stdio[3].write(`${JSON.stringify({ id, method, params, sessionId: this.session })}\0`);
    return new Promise((done, failed) => this.waiting.set(id, [done, failed]));
  }
  // Opens `url` and waits until it is loaded.
  async open(url) {
    const { targetInfos } = await this.ask('Target.getTargets');
    const page = targetInfos.find((target) => target.type === 'page');
    this.session = (await this.ask('Target.attachToTarget', { targetId: page.targetId, flatten: true })).sessionId;
    for (const domain of ['Page', 'Runtime', 'Log', 'Network']) await this.ask(`${domain}.enable`);
    const loaded = new Promise((done) => this.watchers.push(['Page.loadEventFired', done]));
    await this.ask('Page.navigate', { url });
    await loaded;
  }
  async evaluate(expression) {
    const { result, exceptionDetails } = await this.ask('Runtime.evaluate', { expression, returnByValue: true });
    if (exceptionDetails) throw new Error(exceptionDetails.text);
    return result.value;
  }
  async press(key, code) {
    await this.ask('Input.dispatchKeyEvent', { type: 'keyDown', key, code: key, windowsVirtualKeyCode: code, text: key === 'Enter' ? '\r' : undefined });
    await this.ask('Input.dispatchKeyEvent', { type: 'keyUp', key, code: key, windowsVirtualKeyCode: code });
  }
  // What the page complained about, and what it asked for beside itself.
  complaints() {
    return this.events.filter((e) => e.method === 'Log.entryAdded' || e.method === 'Runtime.consoleAPICalled' || e.method === 'Runtime.exceptionThrown')
      .map((e) => JSON.stringify(e.params).slice(0, 300));
  }
  requests() { return this.events.filter((e) => e.method === 'Network.requestWillBeSent').map((e) => e.params.request.url); }
  async close() {
    this.session = undefined;
    this.ask('Browser.close').catch(() => {});
    await Promise.race([this.gone, new Promise((done) => setTimeout(done, 5_000))]);
    this.process.kill('SIGKILL');
    await this.gone;
    rmSync(this.profile, { recursive: true, force: true, maxRetries: 5 });
  }
}
