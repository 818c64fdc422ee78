// What every browser test needs: a suite of its own, started as a newcomer would, pages in real Chromium, axe, and screenshots.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const need = (name) => process.env[name] ?? assert.fail(`${name} is not set; run these tests by 'make test' or 'cargo test -p samtal-tests --test suite browser'`);
const tools = createRequire(join(need('SAMTAL_TOOL_BROWSER'), 'package.json'));
const { chromium } = tools('playwright-core');
const axeSource = readFileSync(tools.resolve('axe-core/axe.min.js'), 'utf8');

export const phone = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };
export const desktop = { viewport: { width: 1280, height: 800 } };

/** The whole suite as one process, `samtal up`, as a demo unless told otherwise, on a data folder of its own. */
export class Suite {
  static async start(options = {}) {
    const suite = new Suite();
    suite.data = mkdtempSync(join(tmpdir(), 'samtal-browser-'));
    suite.options = options;
    suite.http = '127.0.0.1:0';
    suite.grpc = '127.0.0.1:0';
    await suite.run();
    return suite;
  }

  async run() {
    const demo = this.options.demo === false ? [] : ['--demo'];
    const args = ['up', ...demo, '--data', join(this.data, 'data'), '--http', this.http, '--grpc', this.grpc, ...(this.options.args ?? [])];
    // It ends with this process, however that one ends.
    const env = this.environment();
    this.process = spawn('setpriv', ['--pdeathsig', 'KILL', need('SAMTAL_BINARY'), ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    this.ended = new Promise((resolve) => this.process.once('exit', resolve));
    const said = [];
    const ready = new Promise((resolve, reject) => {
      const listen = (stream) =>
        createInterface({ input: stream }).on('line', (line) => {
          said.push(line);
          const found = line.match(/pages at (http:\S+?)\/?, gRPC at (\S+?),/);
          if (found) resolve(found);
        });
      listen(this.process.stdout);
      listen(this.process.stderr);
      this.ended.then((code) => reject(new Error(`samtal ended with ${code}:\n${said.slice(-20).join('\n')}`)));
    });
    const [, pages, grpc] = await ready;
    this.base = pages;
    // A restart answers at the same addresses.
    this.http = new URL(pages).host;
    this.grpc = grpc;
  }

  /** Our own variables are no settings of it. */
  environment() {
    const own = Object.entries(process.env).filter(([name]) => !name.startsWith('SAMTAL_'));
    return { ...Object.fromEntries(own), ...this.options.env };
  }

  /** Applies a region's description, as an operator does. */
  apply(file) {
    execFileSync(need('SAMTAL_BINARY'), ['apply', '-f', file, '--address', this.grpc, '--data', join(this.data, 'data')], { env: this.environment() });
  }

  /** Ends the process; KILL is a power cut. */
  async kill(signal = 'SIGKILL') {
    this.process.kill(signal);
    await this.ended;
  }

  async stop() {
    await this.kill('SIGTERM');
    rmSync(this.data, { recursive: true, force: true });
  }
}

export const launch = () =>
  chromium.launch({
    executablePath: need('SAMTAL_TOOL_CHROMIUM'),
    args: ['--no-sandbox', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--disable-quic', '--no-first-run'],
  });

/** A person's browser: cookies of its own. What a page complains about ends up in `context.complaints`. */
export async function person(browser, suite, options = {}) {
  const context = await browser.newContext({ baseURL: suite.base, locale: 'sv-SE', ...desktop, ...options });
  context.setDefaultTimeout(30_000);
  context.complaints = [];
  context.on('weberror', (error) => context.complaints.push(String(error.error())));
  context.on('console', (message) => message.type() === 'error' && context.complaints.push(`${message.text()} ${message.location().url}`));
  const home = new URL(suite.base).origin;
  context.on('request', (request) => {
    const url = new URL(request.url());
    // One goes to the sign-in service oneself; no page of ours fetches from it.
    const led = request.isNavigationRequest() && url.origin === suite.options.service;
    if (/^https?:$/.test(url.protocol) && url.origin !== home && !led) context.complaints.push(`request to a third party: ${url}`);
  });
  return context;
}

/** Fails if axe finds anything on the page as it is now. */
export async function accessible(page, what) {
  // By the debugging protocol, since the pages' own policy lets no foreign script in.
  await page.evaluate(axeSource);
  // What is still fading in has not its colours yet.
  await page.evaluate(() => Promise.all(document.getAnimations().map((animation) => animation.finished.catch(() => {}))));
  const found = await page.evaluate(() => globalThis.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] }));
  const told = found.violations.flatMap((violation) =>
    violation.nodes.map((node) => `${violation.id}: ${node.html}\n  ${node.failureSummary.replaceAll('\n', '\n  ')}`),
  );
  assert.deepEqual(told, [], `axe on ${what} (${page.url()})`);
}

/** Nothing sticks out to the right: one would have to scroll sideways to read. */
export async function fits(page, what) {
  const [wide, room] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
  assert.ok(wide <= room, `${what}: ${wide} px wide in ${room} px`);
}

/** A picture of the page in both themes, for people to look at: target/screenshots/<name>-<theme>.png. */
export async function picture(page, name) {
  const folder = need('SAMTAL_SCREENSHOTS');
  mkdirSync(folder, { recursive: true });
  for (const theme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme: theme });
    await page.screenshot({ path: join(folder, `${name}-${theme}.png`), fullPage: true, animations: 'disabled' });
  }
  await page.emulateMedia({ colorScheme: null });
}
