// A kiosk shows the wall and takes nothing: no buttons that change, no links. The token in its address is what
// it asks everything with. It goes on to the next screenful by itself.

import { equal, open, until } from '../browser.mjs';

/** The token of a viewer; the service is started with it, too. */
const TOKEN = 'avw_read_only_0123456789';

export const stand_in = { streams: 120, token: TOKEN };

export default async function run({ browser, address, mock }) {
  const refused = await open(browser, address).catch(() => null);
  equal(await refused?.locator('.tile').count() ?? 0, 0, 'without the token there is nothing');
  const url = new URL(`${address}/?kiosk`);
  url.username = 'kiosk';
  url.password = TOKEN;
  const page = await open(browser, url.href);
  await page.waitForSelector('.penalty');
  await page.waitForSelector('.tile img:not([hidden])');
  equal(await page.locator('nav a:visible, .tile[href], .penalty a[href], .penalty button:visible, .bar input:visible').count(), 0, 'controls');
  if (mock) await until('the next screenful', async () => page.evaluate(() => document.querySelector('.grid-scroll').scrollTop > 100), 25_000);
  // What it may not do it is refused.
  const answer = await page.evaluate(async () => (await fetch(`${location.origin}/api/v1/notes`, { method: 'POST', body: '{"text":"x"}', headers: { 'content-type': 'application/json' } })).status);
  if (!mock) equal(answer, 403, 'a note of a viewer');
  equal(page.faults.join('\n'), '', 'faults');
}
