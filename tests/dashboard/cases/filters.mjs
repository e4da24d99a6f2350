// What is shown is in the address: search, label, condition, size and order; a new page at the same address
// shows the same, and a saved view brings it back.

import { equal, open, until } from '../browser.mjs';

export const stand_in = { streams: 40, calm: true };

export default async function run({ browser, address, mock }) {
  mock.raise('ch-0007', 'freeze', 'major');
  mock.raise('ch-0020', 'black', 'critical');
  const page = await open(browser, address);
  await page.waitForSelector('.tile[data-severity="critical"]');
  const shown = (where = page) => where.locator('.grid > li').evaluateAll((cells) => cells.map((cell) => cell.querySelector('.tile').title.match(/ch-\d+/)[0]));
  await page.click('.chip:has-text("critical")');
  await until('the critical one alone', async () => (await shown()).join() === 'ch-0020');
  await page.click('.chip:has-text("critical")');
  await page.click('button:has-text("View")');
  await page.selectOption('dialog select >> nth=0', 'worst');
  await page.selectOption('dialog select >> nth=1', 's');
  await page.click('dialog button:has-text("Save this view")');
  await page.fill('dialog input', 'night shift');
  await page.click('dialog button.first');
  await page.waitForSelector('dialog', { state: 'detached' });
  await until('the worst first', async () => (await shown()).slice(0, 2).join() === 'ch-0020,ch-0007');
  const saved = page.url();
  const other = await open(browser, saved);
  await other.waitForSelector('.tile[data-severity="critical"]');
  await until('the same on another screen', async () => (await shown(other)).slice(0, 2).join() === 'ch-0020,ch-0007');
  await page.goto(`${address}/?label=site%3Dnorth&q=ch-00`);
  await until('only that label', async () => (await shown()).length > 0 && (await shown()).every((name) => mock.streams.get(name).labels.site === 'north'));
  await page.click('button:has-text("View")');
  await page.click('dialog a:has-text("night shift")');
  await until('the saved view', async () => page.url() === saved);
  equal(page.faults.join('\n'), '', 'faults');
}
