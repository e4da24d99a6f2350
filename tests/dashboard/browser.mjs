// The browser that the tests drive: Debian's Chromium, by playwright-core from target/dashboard.

import { createRequire } from 'node:module';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Where packages are installed and pictures are left. */
export const TARGET = process.env.DASHBOARD_TARGET ?? fileURLToPath(new URL('../../target/dashboard', import.meta.url));

const require = createRequire(join(TARGET, 'node_modules/'));
const { chromium } = require('playwright-core');

/** Sizes of screens. */
export const DESKTOP = { width: 1600, height: 900 };
export const PHONE = { width: 390, height: 844 };

/** Starts the browser. As root Chromium has no sandbox. */
export async function launch() {
  const root = process.getuid?.() === 0;
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--autoplay-policy=no-user-gesture-required', '--disable-dev-shm-usage', ...(root ? ['--no-sandbox'] : [])],
  });
}

/** A page whose errors are kept in `page.faults`: every error of a script, every refusal of the policy. */
export async function open(browser, address, { theme = 'dark', viewport = DESKTOP, ...more } = {}) {
  const context = await browser.newContext({ viewport, colorScheme: theme, reducedMotion: 'reduce', ...more });
  const page = await context.newPage();
  page.faults = [];
  page.on('pageerror', (error) => page.faults.push(`${error}`));
  page.on('console', (message) => {
    if (message.type() === 'error' && !/status of (4\d\d|503)/.test(message.text())) page.faults.push(message.text());
  });
  await page.goto(address);
  return page;
}

/** Leaves a picture of the page under target/dashboard. */
export async function picture(page, name) {
  mkdirSync(join(TARGET, 'screenshots'), { recursive: true });
  await page.screenshot({ path: join(TARGET, 'screenshots', `${name}.png`) });
}

const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

/** What axe-core finds on the page as it is: rule and elements. */
export async function violations(page) {
  // Evaluated by the debugger, which the page's own policy does not bind.
  await page.evaluate(axe);
  const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
  return found.violations.map((rule) => `${rule.id} (${rule.impact}): ${rule.nodes.slice(0, 5).map((node) => node.html.slice(0, 160)).join(' | ')}`);
}

/** Fails unless both are the same. */
export function equal(found, wanted, what) {
  if (found !== wanted) throw new Error(`${what}: found ${JSON.stringify(found)}, wanted ${JSON.stringify(wanted)}`);
}

/** Waits for a condition, not for ever. */
export async function until(what, holds, limit = 15_000) {
  const end = Date.now() + limit;
  for (;;) {
    const found = await holds();
    if (found) return found;
    if (Date.now() > end) throw new Error(`waited ${limit} ms for ${what}`);
    await new Promise((done) => { setTimeout(done, 100); });
  }
}
