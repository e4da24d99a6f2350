// An operator takes an event, says why, and gives it back; another screen sees it at once.

import { equal, open, until } from '../browser.mjs';

export default async function run({ browser, address }) {
  const page = await open(browser, address);
  const other = await open(browser, address);
  await page.click('.penalty button:has-text("Ack")');
  await page.click('dialog button.first');
  await page.waitForSelector('dialog .fault:has-text("Say who you are")');
  await page.fill('dialog input[name="author"]', 'Anna <b>');
  await page.fill('dialog input[name="comment"]', 'the encoder restarts');
  await page.click('dialog button.first');
  await page.waitForSelector('.toast:has-text("Acknowledged")');
  await other.waitForSelector('.penalty .since:has-text("acked by Anna <b>")');
  await other.click('.penalty .what');
  await other.waitForSelector('.facts dd:has-text("the encoder restarts")');
  await other.click('button:has-text("Comment")');
  await other.fill('dialog input[name="author"]', 'Ben');
  await other.fill('dialog textarea', 'seen');
  await other.click('dialog button.first');
  await other.waitForSelector('.facts dd:has-text("seen")');
  await other.click('button:has-text("Take back")');
  await until(
    'it to be given back',
    async () => (await page.locator('.penalty .since:has-text("acked")').count()) === 0,
  );
  // The page of the event tells all of it, oldest first.
  await other.waitForSelector('.changes li:first-child:has-text("raised")');
  await other.waitForSelector('.changes li:has-text("by Anna <b>") q:has-text("the encoder restarts")');
  await other.waitForSelector('.changes q:has-text("seen")');
  equal(page.faults.concat(other.faults).join('\n'), '', 'faults');
}
