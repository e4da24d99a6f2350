// Events of the monitor itself lead to the node, for there is no page of a stream of theirs.

import { equal, open } from '../browser.mjs';

export const stand_in = { streams: 3, calm: true };

export default async function run({ browser, address, mock }) {
  const event = mock.raise('@monitor', 'store', 'major', { message: 'the store is full' });
  const page = await open(browser, `${address}/?view=events`);
  await page.click('td.stream a:has-text("@monitor")');
  await page.waitForSelector('.panel:has(h2:text-is("Streams"))');
  equal(new URL(page.url()).searchParams.get('view'), 'node', 'the view that the row leads to');
  await page.goto(`${address}/?view=event&id=${event.id}`);
  await page.click('.facts a:has-text("@monitor")');
  await page.waitForSelector('.panel:has(h2:text-is("Streams"))');
  equal(new URL(page.url()).searchParams.get('view'), 'node', 'the view that the page leads to');
  equal(page.faults.join('\n'), '', 'faults');
}
