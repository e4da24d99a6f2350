// A stream that is watched for five minutes only is not called well for a day, and one that nobody watches not at all.

import { equal, open, picture, until } from '../browser.mjs';

export const stand_in = { streams: 3, calm: true };

export default async function run({ browser, address, mock }) {
  mock.events.clear();
  mock.watchedSince = Date.now() - 5 * 60_000;
  mock.streams.get('ch-0001').state = 'live';
  const page = await open(browser, `${address}/?view=stream&name=ch-0001`);
  const words = (at) => at.locator('.strip-row .soft').allTextContents();
  await until('words', async () => (await words(page)).every((text) => text.includes('that were seen')));
  for (const [index, span] of ['2 h', '24 h'].entries()) {
    const found = (await words(page))[index];
    // A minute more or less, by where in its minute the case begins.
    equal(new RegExp(`^nothing wrong in the [456] min of ${span} that were seen$`).test(found), true, found);
  }
  await picture(page, 'seen-in-part');

  mock.watchedSince = Date.now() + 3600_000;
  mock.streams.get('ch-0002').state = 'quarantined';
  const other = await open(browser, `${address}/?view=stream&name=ch-0002`);
  await until(
    'words that nothing was seen',
    async () => (await words(other)).join() === 'nothing was seen in 2 h,nothing was seen in 24 h',
  );
  equal(page.faults.concat(other.faults).join('\n'), '', 'faults');
}
