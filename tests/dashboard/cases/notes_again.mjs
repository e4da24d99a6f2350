// What was written before a restart is there after it.

import { open } from '../browser.mjs';

export default async function run({ browser, address }) {
  const page = await open(browser, `${address}/?view=notes`);
  await page.waitForSelector('.note:has-text("Satellite 3")');
}
