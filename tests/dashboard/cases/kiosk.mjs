// A kiosk shows the wall and takes nothing: no buttons that change, no links. The token in its address is what
// it asks everything with. It goes on to the next screenful by itself.

import { equal, open, until } from '../browser.mjs';

export const stand_in = { streams: 120, token: 'avw_read_only' };

export default async function run({ browser, address }) {
  const refused = await open(browser, address).catch(() => null);
  equal(await refused?.locator('.tile').count() ?? 0, 0, 'without the token there is nothing');
  const url = new URL(`${address}/?kiosk`);
  url.username = 'kiosk';
  url.password = 'avw_read_only';
  const page = await open(browser, url.href);
  await page.waitForSelector('.penalty');
  await page.waitForSelector('.tile img:not([hidden])');
  equal(await page.locator('nav a:visible, .tile[href], .penalty a[href], .penalty button:visible, .bar input:visible').count(), 0, 'controls');
  equal(await page.evaluate(() => document.querySelector('.grid-scroll').scrollTop), 0, 'it begins at the top');
  await until('the next screenful', async () => page.evaluate(() => document.querySelector('.grid-scroll').scrollTop > 100), 25_000);
  equal(page.faults.join('\n'), '', 'faults');
}
