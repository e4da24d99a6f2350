// A stream that is well again stays in the penalty box for 30 s, said to be clear, and then leaves it; the
// tiles of the wall never move for what happens to streams. Trouble of the monitor itself stands above everything.

import { equal, open, until } from '../browser.mjs';

export const stand_in = { streams: 12, calm: true };

export default async function run({ browser, address, mock }) {
  const page = await open(browser, address);
  await page.waitForSelector('.calm:has-text("Nothing wrong in")');
  const places = () => page.locator('.grid > li').evaluateAll((cells) => cells.map((cell) => `${cell.querySelector('.name').textContent} ${JSON.stringify(cell.getBoundingClientRect())}`).join('\n'));
  await page.waitForSelector('.tile img:not([hidden])');
  const trouble = mock.raise('avwatch', 'store_degraded', 'major', { message: 'the store takes no changes' });
  await page.waitForSelector('.banner:has-text("The monitor itself"):has-text("the store takes no changes")');
  mock.end(trouble);
  await page.waitForSelector('.banner', { state: 'detached' });
  const before = await places();
  const event = mock.raise('ch-0003', 'black', 'major');
  await page.waitForSelector('.penalty[data-severity="major"]');
  equal(await places(), before, 'the wall stands still when something goes wrong');
  mock.end(event);
  const end = Date.now();
  await page.waitForSelector('.penalty[data-cleared]:has-text("clear, leaves in")');
  equal(await places(), before, 'and when it is over');
  await until('it to leave', async () => (await page.locator('.penalty').count()) === 0, 40_000);
  const held = Date.now() - end;
  if (held < 28_000) throw new Error(`it left after ${held} ms`);
}
