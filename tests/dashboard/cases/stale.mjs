// Pictures and levels that stop are called stale within seconds, and no longer are when they go on.

import { open, picture, until } from '../browser.mjs';

export const stand_in = { streams: 6, calm: true };

export default async function run({ browser, address, mock }) {
  const page = await open(browser, address);
  await page.waitForSelector('.tile img:not([hidden])');
  mock.thumbnailsAt = Date.now();
  await page.waitForSelector('.tile[data-stale] .mark:has-text("STALE")', { timeout: 12_000 });
  await picture(page, 'stale');
  mock.thumbnailsAt = undefined;
  await until('the mark to go', async () => (await page.locator('.tile[data-stale]').count()) === 0);
}
