// A kiosk shows the wall and takes nothing: no buttons that change, no links, and the token in its address
// goes to the service and stays nowhere to be read. It goes on to the next screenful by itself.

import { equal, open, until } from '../browser.mjs';

export const stand_in = { streams: 120 };

export default async function run({ browser, address }) {
  const page = await open(browser, 'about:blank');
  const sent = new Set();
  page.on('request', (request) => { if (request.url().includes('/api/')) sent.add(request.headers().authorization); });
  await page.goto(`${address}/?kiosk#token=avw_read_only`);
  await page.waitForSelector('.penalty');
  await until('a picture to be asked for', async () => sent.size > 0);
  equal([...sent].join(), 'Bearer avw_read_only', 'every request carries the token');
  equal(await page.evaluate(() => location.href.includes('token')), false, 'the address no longer shows it');
  equal(await page.locator('nav a:visible, .tile[href], .penalty a[href], .penalty button:visible, .bar input:visible').count(), 0, 'controls');
  equal(await page.evaluate(() => document.querySelector('.grid-scroll').scrollTop), 0, 'it begins at the top');
  await until('the next screenful', async () => page.evaluate(() => document.querySelector('.grid-scroll').scrollTop > 100), 25_000);
  equal(page.faults.join('\n'), '', 'faults');
}
