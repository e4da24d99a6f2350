// When the service goes away the page says so and calls everything old; when it comes back so does the page,
// without what has ended meanwhile.

import { equal, open, picture, until } from '../browser.mjs';

export const stand_in = { streams: 6, calm: true };

export default async function run({ browser, address, mock }) {
  const event = mock.raise('ch-0001', 'black', 'critical');
  const page = await open(browser, address);
  await page.waitForSelector('.tile[data-severity="critical"]');
  const { port } = new URL(address);
  mock.stop();
  await page.waitForSelector('.banner.bad:has-text("lost")');
  equal(await page.locator('.tile[data-stale]').count(), 6, 'every tile is stale');
  await picture(page, 'lost');
  mock.end(event);
  await mock.start(Number(port));
  await page.waitForSelector('.link-state[data-state="open"]', { timeout: 20_000 });
  await until('the event to be over', async () => (await page.locator('.tile[data-severity="critical"]').count()) === 0);
  equal(await page.locator('.banner').count(), 0, 'the banner is gone');
}
