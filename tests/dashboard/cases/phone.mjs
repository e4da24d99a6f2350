// On a phone the wall, the penalty box, the page of a stream and that of an event with its evidence fit the screen:
// nothing reaches over its edge, and what is to be touched is large enough for a finger. Leaves a picture of each.

import { equal, open, PHONE, picture, until } from '../browser.mjs';

/** Least width and height of what is to be touched, in pixels; links within text are as high as their line. */
const TOUCH_MIN = 40;

export default async function run({ browser, address }) {
  const found = [];
  const page = await open(browser, address, { viewport: PHONE, hasTouch: true, isMobile: true, deviceScaleFactor: 2 });
  const judge = async (name) => {
    await page.waitForTimeout(500);
    for (const fault of await page.evaluate(faults, TOUCH_MIN)) found.push(`${name}: ${fault}`);
    await picture(page, `service-phone-${name}`);
  };
  await page.waitForSelector('.tile[data-severity="critical"]', { timeout: 40_000 });
  await until('pictures', async () => (await page.locator('.tile img:not([hidden])').count()) > 1);
  await judge('wall');

  await page.goto(`${address}/?view=problems`);
  await page.waitForSelector('.penalty img:not([hidden])', { timeout: 40_000 });
  await judge('problems');

  await page.goto(`${address}/?view=stream&name=black`);
  await until('levels', async () => /audio:0 -?\d/.test((await page.locator('.levels').textContent()) ?? ''));
  await judge('stream');
  await scrollOn(page, '.plots', judge, 'stream-plots');
  await scrollOn(page, 'table.events', judge, 'stream-events');

  const event = await until(
    'evidence',
    async () => {
      const { events } = await (await fetch(`${address}/api/v1/events?stream=lobby&detector=black`)).json();
      const { id, evidence } = events.at(-1) ?? {};
      return evidence && (await fetch(address + evidence)).ok ? id : null;
    },
    90_000,
  );
  await page.goto(`${address}/?view=event&id=${event}`);
  await page.waitForSelector('.facts dd');
  await judge('event');
  await page.waitForSelector('canvas.waveform');
  await scrollOn(page, '.evidence', judge, 'event-evidence');
  await scrollOn(page, '.changes', judge, 'event-changes');

  equal(found.concat(page.faults).join('\n'), '', 'what does not fit a phone');
}

async function scrollOn(page, selector, judge, name) {
  await page.locator(selector).first().evaluate((node) => node.scrollIntoView({ block: 'start' }));
  const top = await page.evaluate(() => document.querySelector('.top').getBoundingClientRect().top);
  equal(top, 0, `${name}: where the bar on top is`);
  await judge(name);
}

/** Runs on the page: what reaches over the edge of the screen, and what is too small to be touched. */
function faults(least) {
  const all = [];
  const say = (node) => `${node.tagName.toLowerCase()}.${node.className} '${node.textContent.trim().slice(0, 30)}'`;
  const over = document.documentElement.scrollWidth - innerWidth;
  if (over > 0) all.push(`the page is ${over} pixels too wide`);
  const shown = (node) => node.checkVisibility({ visibilityProperty: true }) && node.getClientRects().length > 0;
  /** What scrolls sideways by itself may hold more than fits. */
  const isHeld = (node) => {
    for (let up = node.parentElement; up; up = up.parentElement)
      if (/auto|scroll|hidden|clip/.test(getComputedStyle(up).overflowX) && up.tagName !== 'BODY') {
        const { left, right } = up.getBoundingClientRect();
        if (left >= -0.5 && right <= innerWidth + 0.5) return true;
      }
    return false;
  };
  for (const node of document.querySelectorAll('body *')) {
    const { left, right, width } = node.getBoundingClientRect();
    if (width > 0 && shown(node) && (right > innerWidth + 0.5 || (left < -0.5 && right > 0)) && !isHeld(node))
      all.push(`${say(node)} reaches from ${Math.round(left)} to ${Math.round(right)}`);
  }
  for (const node of document.querySelectorAll('button, select, input, textarea, nav a')) {
    const { width, height } = node.getBoundingClientRect();
    if (shown(node) && width > 1 && (height < least || width < least))
      all.push(`${say(node)} is ${Math.round(width)} × ${Math.round(height)}`);
  }
  return all;
}
