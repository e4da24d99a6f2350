// Who may only look is offered nothing that would be refused: not on any page, not from the first paint of the
// second visit on, and not by keys.

import { equal, open, until } from '../browser.mjs';

/** The token of a viewer; the service is started with it, too. */
const TOKEN = 'avw_read_only_0123456789';

export const stand_in = { streams: 12, token: TOKEN, role: 'viewer' };

/** Everything that asks for a change, by what it says. */
const CHANGES = /^(Add.*|Ack.*|Acknowledge.*|Take back|Snooze.*|Comment|Edit|Remove.*|End.*|Test.*)$/;

const buttons = (page) =>
  page.evaluate(
    (pattern) =>
      [...document.querySelectorAll('button')]
        .filter((button) => button.checkVisibility() && new RegExp(pattern).test(button.textContent.trim()))
        .map((button) => button.textContent.trim()),
    CHANGES.source,
  );

export default async function run({ browser, address, mock }) {
  const url = new URL(address);
  url.username = 'kiosk';
  url.password = TOKEN;
  const page = await open(browser, url.href);
  const known = () => page.evaluate(() => document.documentElement.dataset.role);
  await until('the role is known', async () => (await known()) === 'viewer');
  await page.waitForSelector('.penalty');
  equal((await buttons(page)).join(', '), '', 'on the wall');
  await page.keyboard.press('p');
  await page.waitForSelector('.penalty .what[href]');
  equal((await buttons(page)).join(', '), '', 'among problems');
  const event = await page.locator('.penalty .what[href]').first().getAttribute('href');
  const stream = await page.locator('.penalty a[href*="stream"]').first().getAttribute('href');
  for (const [path, sign] of [
    [event, 'text=Changes and comments'],
    [stream, 'h2:has-text("Events")'],
    ['/?view=node', 'h1, h2'],
    ['/?view=notes', 'h1:has-text("Shift notes")'],
  ]) {
    await page.goto(new URL(path, url.href).href);
    await page.waitForSelector(sign);
    equal(await known(), 'viewer', `remembered at ${path}`);
    await page.waitForTimeout(300);
    equal((await buttons(page)).join(', '), '', `at ${path}`);
    equal(await page.locator('textarea:visible').count(), 0, `a form at ${path}`);
  }
  await page.goto(new URL(event, url.href).href);
  await page.waitForSelector('text=Changes and comments');
  await page.keyboard.press('z');
  await page.waitForSelector('.toasts:has-text("needs a token of role operator")');
  equal(await page.locator('dialog[open]').count(), 0, 'a dialog that leads to a refusal');
  if (mock) {
    // A role that was widened meanwhile counts with the next connection.
    mock.role = 'operator';
    await page.reload();
    await until('snoozing is offered', async () => (await buttons(page)).includes('Snooze'));
  }
  equal(page.faults.join('\n'), '', 'faults');
}
