// Planted defects turn borders, fill the penalty box with pictures and words, and are said to be clear again;
// levels and pictures are fresh; nothing of a hostile title runs. The page of a stream shows all there is.

import { equal, open, picture, until } from '../browser.mjs';

export default async function run({ browser, address }) {
  const page = await open(browser, address);
  await page.waitForSelector('.tile img:not([hidden])', { timeout: 20_000 });
  await page.waitForSelector('.tile[title*="(black)"][data-severity="critical"]', { timeout: 40_000 });
  await page.waitForSelector('.tile[title*="(silent)"][data-severity="major"]', { timeout: 40_000 });
  equal(await page.locator('.tile[title*="(clean)"]').getAttribute('data-severity'), '', 'the clean stream has no border');
  await page.waitForSelector('.penalty[data-severity="critical"] .message:has-text("picture black")');
  await page.waitForSelector('.penalty[data-severity="major"] .message:has-text("sound silent")');
  await until('a picture in the penalty box', async () => (await page.locator('.penalty img:not([hidden])').count()) === 2);
  equal(await page.locator('.tile[data-stale]').count(), 0, 'stale tiles');
  const wide = await page.locator('.tile[title*="(clean)"] canvas.bars').evaluate((canvas) => canvas.width);
  if (wide === 0) throw new Error('there are no audio bars');
  await picture(page, 'service-wall');
  await page.waitForSelector('.penalty[data-cleared]', { timeout: 40_000 });

  await page.click('.tile[title*="(black)"]');
  await page.waitForSelector('.panel .strip-row');
  await until('a track', async () => (await page.locator('th:has-text("video:0")').count()) > 0);
  await until('points in the plots', async () => /now \d/.test(await page.locator('canvas.plot').first().getAttribute('aria-label') ?? ''));
  await until('levels', async () => /audio:0 -?\d/.test(await page.locator('.levels').textContent()));
  await picture(page, 'service-stream');
  await page.click('table.events td.message a');
  await page.waitForSelector('.facts dd:has-text("black on video:0")');
  await page.keyboard.press('n');
  await page.waitForSelector('.stage .columns');
  await until('the processor to be measured', async () => (await page.locator('.facts dd:has-text("cores")').count()) > 0);
  await picture(page, 'service-node');
  equal(await page.evaluate(() => window.ran ?? 0), 0, 'nothing of the title ran');
  equal(page.faults.join('\n'), '', 'faults');
}
