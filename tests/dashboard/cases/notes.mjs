// A note is written, seen by others, and one of two is removed.

import { equal, open } from '../browser.mjs';

export default async function run({ browser, address }) {
  const page = await open(browser, `${address}/?view=notes`);
  for (const text of ['Satellite 3 is on its backup.\n<b>until 22:00</b>', 'to be removed']) {
    await page.fill('textarea', text);
    await page.fill('input[name="author"]', 'Anna');
    await page.click('button:has-text("Add note")');
    await page.waitForSelector(`.note:has-text("${text.split('\n')[0]}")`);
  }
  await page.click('li:has-text("to be removed") button');
  await page.waitForSelector('.note:has-text("to be removed")', { state: 'detached' });
  const other = await open(browser, `${address}/?view=notes`);
  await other.waitForSelector('.note');
  equal(await other.locator('.note').allTextContents().then((all) => all.join('|')), 'Satellite 3 is on its backup.\n<b>until 22:00</b>', 'the notes');
  equal(page.faults.join('\n'), '', 'faults');
}
