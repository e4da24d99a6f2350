// What fails together is one line above the penalty box, as the text it is; it leads to a page with causes,
// evidence and events, and goes when the incident ends.

import { equal, open, picture, until } from '../browser.mjs';

export const stand_in = { streams: 4, calm: true };

const EVIL = '<img src=x onerror="window.ran=1">"\'`{{7*7}}';

export default async function run({ browser, address, mock }) {
  const names = [...mock.streams.keys()].slice(0, 3);
  const events = names.map((name) => mock.raise(name, 'input_down', 'critical', { message: `no input of ${name}` }));
  mock.incident('inc-1', events, { severity: 'critical', message: `host origin: ${EVIL}`, causes: ['first', EVIL] });
  const page = await open(browser, address);
  const line = page.locator('.rail .incident');
  await until('the line to be there', async () => (await line.count()) === 1);
  equal(await line.locator('.message').textContent(), `host origin: ${EVIL}`, 'its message, as text');
  equal(await line.locator('.soft').textContent(), '3 streams', 'how many streams');
  await picture(page, 'incident-line');
  await line.locator('a').click();
  await until('its events', async () => (await page.locator('table.events tbody tr').count()) === 3);
  equal(await page.locator('h1').textContent(), `host origin: ${EVIL}`, 'the page says what it is');
  equal((await page.locator('ol.causes li').allTextContents()).join('|'), `first|${EVIL}`, 'from cause to consequence');
  equal((await page.locator('.panel a.tag').allTextContents()).join('|'), names.sort().join('|'), 'its streams');
  await picture(page, 'incident-page');
  for (const event of events) mock.end(event);
  mock.incident('inc-1', events, { message: 'over after 60 s' });
  await until('the page to say so', async () => (await page.locator('h1').textContent()) === 'over after 60 s');
  await page.goto(`${address}/?view=problems`);
  mock.incident('inc-2', [mock.raise(names[0], 'black', 'major')], {});
  await until('the other one', async () => (await line.count()) === 1);
  equal(await line.locator('a').getAttribute('href'), '/?view=incident&id=inc-2', 'the ended one is gone');
  await page.goto(`${address}/?view=incident&id=none`);
  await until('an unknown one', async () =>
    (await page.locator('.nothing').first().textContent()).startsWith('There is no incident'),
  );
  equal(await page.evaluate(() => window.ran ?? 0), 0, 'nothing of it ran');
  equal(page.faults.filter((fault) => !fault.includes('404')).join('\n'), '', 'faults');
}
