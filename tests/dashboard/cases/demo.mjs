// The demo, as a newcomer finds it: a planted defect turns a border and fills the penalty box, and the clip of its
// event plays from just before the onset. A phone shows the same.

import { PHONE, equal, open, picture, until } from '../browser.mjs';

export default async function run({ browser, address }) {
  const page = await open(browser, address);
  await page.waitForSelector('.tile[title*="Demo: black pictures"][data-severity="major"]', { timeout: 60_000 });
  await page.waitForSelector('.penalty[data-severity="major"] .message:has-text("picture black")');
  await picture(page, 'demo-wall');

  await page.click('.tile[title*="Demo: black pictures"]');
  await page.click('table.events td.message a:has-text("picture black")');
  await page.waitForSelector('.evidence[data-played="yes"]', { timeout: 90_000 });
  const film = page.locator('video');
  await film.evaluate(async (node) => {
    node.muted = true;
    await node.play();
  });
  const begin = await film.evaluate((node) => node.currentTime);
  await until('the clip to play', async () =>
    film.evaluate((node, from) => node.currentTime > from + 0.5 && node.videoWidth === 640, begin),
  );
  await until('its pictures', async () => (await page.locator('.film-strip img').count()) > 3);
  equal(await page.locator('.evidence:has-text("Missing: no clip")').count(), 0, 'clips that are missing');
  await picture(page, 'demo-clip');

  await page.setViewportSize(PHONE);
  await picture(page, 'demo-clip-phone');
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  equal(wide, 0, 'pixels that a phone has to scroll sideways');
  equal(page.faults.join('\n'), '', 'faults');
}
