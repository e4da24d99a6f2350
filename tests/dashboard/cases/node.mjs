// The node's figures may be there before the list of streams: the streams are shown when the list is.

import { DESKTOP, equal, until } from '../browser.mjs';

export const stand_in = { streams: 6, calm: true };

export default async function run({ browser, address }) {
  const context = await browser.newContext({ viewport: DESKTOP });
  const page = await context.newPage();
  let letListCome;
  const drawn = new Promise((resolve) => (letListCome = resolve));
  await page.route(/\/api\/v1\/streams\?/, async (route) => {
    await drawn;
    await route.continue();
  });
  // Later figures never come, so that they cannot bring the streams.
  let asked = 0;
  await page.route('**/api/v1/status', (route) => (asked++ === 0 ? route.continue() : undefined));
  await page.goto(`${address}/?view=node`);
  const streams = page.locator('.panel:has(h2:text-is("Streams")) .bars-table .number');
  await page.waitForSelector('.facts dd:has-text("measuring")');
  equal(await streams.count(), 0, 'streams before the list');
  letListCome();
  await until('the streams', async () => (await streams.allTextContents()).includes('6'));
}
