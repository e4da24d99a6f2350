// Everything an operator does, without a mouse: move over the wall, open a stream, acknowledge, search, go
// from page to page, read a plot, ask for help.

import { equal, open, until } from '../browser.mjs';

export const stand_in = { streams: 60, calm: true };

export default async function run({ browser, address, mock }) {
  const event = mock.raise('ch-0001', 'black', 'critical');
  const page = await open(browser, address);
  await page.waitForSelector('.tile[data-severity="critical"]');
  const focused = (expression) => page.evaluate(expression);

  // The skip link is first, then the bar, and then one stop for the whole wall.
  await page.keyboard.press('Tab');
  equal(await focused(() => document.activeElement.textContent), 'Skip to content', 'the first stop');
  equal(await page.locator('.tile[tabindex="0"]').count(), 1, 'the wall is one stop');
  await page.locator('.tile[tabindex="0"]').focus();
  const place = () => focused(() => Number(document.activeElement.closest('li').getAttribute('aria-posinset')));
  await page.keyboard.press('ArrowRight');
  equal(await place(), 2, 'right');
  await page.keyboard.press('End');
  equal(await place(), 60, 'the end, though it was not drawn before');
  await page.keyboard.press('Home');
  equal(await place(), 1, 'the beginning');

  await page.keyboard.press('Enter');
  await page.waitForSelector('h1:not(.unseen)');
  equal(new URL(page.url()).searchParams.get('view'), 'stream', 'Enter opens the stream');
  await page.keyboard.press('Escape');
  await page.waitForSelector('.grid');

  await page.keyboard.press('/');
  await page.keyboard.type('ch-0001');
  await until('the search to leave one stream', async () => (await page.locator('.grid > li').count()) === 1);
  equal(new URL(page.url()).searchParams.get('q'), 'ch-0001', 'the address keeps the search');

  await page.goto(`${address}/?view=stream&name=ch-0001`);
  await page.waitForSelector('.open-events li');
  await page.locator('main').focus();
  await page.keyboard.press('a');
  await page.waitForSelector('dialog[open]');
  equal(await focused(() => document.activeElement.name), 'author', 'the dialog begins at its first field');
  await page.keyboard.type('Anna');
  await page.keyboard.press('Enter');
  await until('the event to be acknowledged', async () => mock.events.get(event.id).state === 'acked');
  equal(mock.events.get(event.id).acked_by, 'Anna', 'by whom');
  await page.waitForSelector('dialog', { state: 'detached' });

  const plot = page.locator('canvas.plot').first();
  await plot.focus();
  await page.keyboard.press('ArrowLeft');
  await page.keyboard.press('ArrowLeft');
  await until('the plot to be read', async () => /^\d\d:\d\d:\d\d/.test(await page.locator('.plot-box .read').first().textContent()));

  await page.locator('main').focus();
  for (const [key, view] of [['p', 'problems'], ['e', 'events'], ['n', 'node'], ['s', 'notes'], ['w', null]]) {
    await page.keyboard.press(key);
    equal(new URL(page.url()).searchParams.get('view'), view, `the key ${key}`);
  }
  await page.keyboard.press('?');
  await page.waitForSelector('dialog[open] kbd');
  await page.keyboard.press('Escape');
  await page.waitForSelector('dialog', { state: 'detached' });
  await page.goBack();
  equal(new URL(page.url()).searchParams.get('view'), 'notes', 'going back goes back');
  equal(page.faults.join('\n'), '', 'faults');
}
