// Names, titles, labels, messages, comments and links of strangers are shown as the text they are: nothing
// of them runs, loads or leads anywhere.

import { equal, open, picture, until } from '../browser.mjs';

export const stand_in = { streams: 2, calm: true };

const EVIL = '<img src=x onerror="window.ran=1"><script>window.ran=1</script>"\'`{{7*7}}';

export default async function run({ browser, address, mock }) {
  const name = 'ch-0001';
  Object.assign(mock.streams.get(name), { title: `title ${EVIL}`, labels: { site: `label ${EVIL}` }, url: `srt://${EVIL}`, runbook_url: 'javascript:window.ran=1', last_error: EVIL });
  const event = mock.raise(name, 'black', 'critical', { message: `message ${EVIL}`, labels: { site: EVIL }, comment: `comment ${EVIL}`, acked_by: EVIL, runbook_url: 'javascript:window.ran=1' });
  mock.notes.push({ id: '1', author: `author ${EVIL}`, text: `note ${EVIL}`, at: new Date().toISOString() });
  const page = await open(browser, address);
  const foreign = [];
  page.on('request', (request) => { if (!request.url().startsWith(address) && !request.url().startsWith('blob:')) foreign.push(request.url()); });
  const says = async (selector, words) => until(`${selector} to say ${words}`, async () => (await page.locator(selector).allTextContents()).some((text) => text.includes(words)));
  await says('.tile .name', `title ${EVIL}`);
  await says('.penalty .message', `message ${EVIL}`);
  await picture(page, 'hostile');
  await page.goto(`${address}/?view=stream&name=${name}`);
  await says('h1', `title ${EVIL}`);
  await says('.facts a', `label ${EVIL}`);
  await page.goto(`${address}/?view=event&id=${event.id}`);
  await says('h1', `message ${EVIL}`);
  await says('.facts dd', 'javascript:window.ran=1');
  await page.goto(`${address}/?view=events`);
  await says('td.message', `message ${EVIL}`);
  await page.goto(`${address}/?view=notes`);
  await says('.note', `note ${EVIL}`);
  await page.goto(`${address}/?q=${encodeURIComponent(EVIL)}&label=${encodeURIComponent(EVIL)}&size=${encodeURIComponent(EVIL)}`);
  await says('.nothing', 'No stream fits');
  equal(await page.locator('a[href^="javascript:"], img[src="x"]').count(), 0, 'nothing of it became an element');
  equal(await page.evaluate(() => window.ran ?? 0), 0, 'nothing ran');
  equal(foreign.join(' '), '', 'nothing was asked of anybody else');
  equal(page.faults.join('\n'), '', 'no fault was told');
}
