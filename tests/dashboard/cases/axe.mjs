// axe-core finds nothing on any page, dialog included, in both themes, on a desk and on a phone; and each
// page fits the width of the screen. Leaves a picture of each.

import { DESKTOP, equal, open, PHONE, picture, violations } from '../browser.mjs';

export const stand_in = { streams: 48 };

const SCREENS = [
  ['dark', 'desktop', DESKTOP],
  ['light', 'desktop', DESKTOP],
  ['dark', 'phone', PHONE],
  ['light', 'phone', PHONE],
];

export default async function run({ browser, address, mock }) {
  const event = mock.raise('ch-0001', 'black', 'critical', {
    comment: 'the encoder restarts',
    runbook_url: 'https://wiki.example/black',
  });
  mock.change(mock.raise('ch-0002', 'freeze', 'major'), { state: 'acked', acked_by: 'Anna' });
  mock.notes.push({
    id: '1',
    author: 'Anna',
    text: 'Satellite 3 is on its backup until 22:00.',
    at: new Date().toISOString(),
  });
  mock.incident('inc-1', [event, mock.raise('ch-0003', 'black', 'major')]);
  const pages = [
    ['wall', '/'],
    ['problems', '/?view=problems'],
    ['events', '/?view=events'],
    ['event', `/?view=event&id=${event.id}`],
    ['incident', '/?view=incident&id=inc-1'],
    ['stream', '/?view=stream&name=ch-0001'],
    ['node', '/?view=node'],
    ['notes', '/?view=notes'],
    ['kiosk', '/?kiosk'],
    ['nothing', '/?q=nothing-is-called-this'],
  ];
  const dialogs = [
    ['help', async (page) => page.keyboard.press('?')],
    ['add', async (page) => page.click('button:has-text("Add stream")')],
    ['view', async (page) => page.click('button:has-text("View")')],
    ['ack', async (page) => pressAny(page, '.penalty button:visible:has-text("Ack")')],
    ['snooze', async (page) => pressAny(page, '.penalty button:visible:has-text("Snooze")')],
  ];
  const found = [];
  for (const [theme, size, viewport] of SCREENS) {
    const page = await open(browser, address, { theme, viewport });
    const judge = async (name) => {
      for (const violation of await violations(page)) found.push(`${name} ${theme} ${size}: ${violation}`);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      if (wide > 0) found.push(`${name} ${theme} ${size}: ${wide} pixels too wide`);
      await picture(page, `${name}-${theme}-${size}`);
    };
    for (const [name, path] of pages) {
      await page.goto(address + path);
      await page.waitForSelector('.link-state[data-state="open"]');
      if (name === 'wall' || name === 'kiosk') await page.waitForSelector('.tile img:not([hidden])');
      await page.waitForTimeout(800);
      await judge(name);
    }
    await page.goto(address);
    await page.waitForSelector('.penalty');
    for (const [name, begin] of dialogs) {
      await begin(page);
      await page.waitForSelector('dialog[open]');
      await judge(name);
      await page.keyboard.press('Escape');
      await page.waitForSelector('dialog', { state: 'detached' });
    }
    found.push(...page.faults);
    await page.context().close();
  }
  equal(found.join('\n'), '', 'violations');
}

/** Presses one of several buttons. The first may vanish under the pointer: its event is over meanwhile. */
async function pressAny(page, selector) {
  for (let tries = 9; ; tries -= 1) {
    try {
      await page.click(selector, { timeout: 3000 });
      return;
    } catch (error) {
      if (tries === 0) throw error;
    }
  }
}
