// The alarm is silent until it is switched on, sounds for a critical event that nobody has taken, and stops
// when somebody has.

import { equal, open, until } from '../browser.mjs';

export const stand_in = { streams: 4, calm: true };

export default async function run({ browser, address, mock }) {
  const page = await open(browser, address);
  const heard = () => page.evaluate(() => Number(document.documentElement.dataset.alarms ?? 0));
  mock.raise('ch-0001', 'black', 'major');
  const event = mock.raise('ch-0002', 'black', 'critical');
  await page.waitForSelector('.tile[data-severity="critical"]');
  equal(await heard(), 0, 'nothing is heard while it is off');
  await page.click('button.sound');
  await page.waitForSelector('button.sound[data-state="on"]');
  await until('the alarm', async () => (await heard()) > 0);
  mock.change(event, { state: 'acked', acked_by: 'Anna' });
  await page.waitForSelector('.tile[data-severity="critical"][data-acked]');
  const before = await heard();
  await page.waitForTimeout(7000);
  equal(await heard(), before, 'acknowledged, it is silent');
  mock.change(event, { state: 'raised', acked_by: undefined });
  await until('the alarm again', async () => (await heard()) > before);
  await page.reload();
  await page.waitForSelector('button.sound[aria-pressed="true"]');
  await page.keyboard.press('m');
  await page.waitForSelector('button.sound[data-state="off"]');
}
