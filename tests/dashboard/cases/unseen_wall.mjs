// The strips of the wall say of what they know nothing: time in which a stream was not watched, and time of which
// there were too many events to load them all. An event of long ago that has only just ended is not missing. One
// request for all streams does it.

import { equal, open, picture, until } from '../browser.mjs';

export const stand_in = { streams: 30, calm: true };

const MINUTE = 60_000;

export default async function run({ browser, address, mock }) {
  mock.events.clear();
  mock.watchedSince = Date.now() - 30 * MINUTE;
  const page = await open(browser, address);
  await says(page, 'ch-0001', /^nothing wrong in the (29|30|31) min of 2 h that were seen$/);
  equal(await hatched(page, 'ch-0001'), '1110', 'quarters of the strip that are hatched');
  await picture(page, 'wall-seen-in-part');
  equal(asked(mock, 'seen'), 1, 'questions about all streams');
  equal(asked(mock, 'streams/[^/]+/history'), 0, 'questions about one stream each');

  // Two a second: more than the page loads. One began before all of them.
  mock.watchedSince = Date.now() - 25 * 60 * MINUTE;
  const ended = (stream, severity, from, to) =>
    mock.event(stream, 'black', severity, Date.now() - from, {
      state: 'ended',
      changed_at: new Date(Date.now() - to).toISOString(),
      ended_at: new Date(Date.now() - to).toISOString(),
    });
  ended('ch-0002', 'major', 110 * MINUTE, 50 * MINUTE);
  for (let index = 0; index < 10_500; index += 1) ended('ch-0003', 'info', index * 500 + 1000, index * 500);
  const many = await open(browser, address);
  await says(many, 'ch-0001', /^nothing wrong in the 1 h 2[2-4] min of 2 h that were seen$/);
  await says(many, 'ch-0002', /^1 event in 2 h, of which 1 h 2[2-4] min were seen$/);
  equal(await hatched(many, 'ch-0001'), '1000', 'quarters of the strip that are hatched');
  await picture(many, 'wall-loaded-in-part');
  equal(page.faults.concat(many.faults).join('\n'), '', 'faults');
}

const tile = (page, name) => page.locator(`.tile[title*="(${name})"]`);

async function says(page, name, wanted) {
  let words = '';
  try {
    await until('words', async () => {
      words = await tile(page, name).locator('.unseen').last().textContent({ timeout: 1000 }).catch(() => '');
      return wanted.test(words);
    });
  } catch {
    throw new Error(`the strip of ${name} says '${words}'`);
  }
}

function asked(mock, path) {
  return mock.requests.filter((request) => new RegExp(`^GET /api/v1/${path}$`).test(request)).length;
}

/** Of each quarter of a strip `1` where it is hatched in its middle, else `0`. */
async function hatched(page, name) {
  return tile(page, name)
    .locator('canvas.strip')
    .evaluate((canvas) => {
      const ink = getComputedStyle(document.documentElement).getPropertyValue('--hatch').trim();
      const rgb = [1, 3, 5].map((at) => Number.parseInt(ink.slice(at, at + 2), 16)).join();
      const paint = canvas.getContext('2d');
      const quarter = Math.floor(canvas.width / 4);
      return [0, 1, 2, 3]
        .map((place) => {
          const { data } = paint.getImageData(place * quarter + Math.floor(quarter / 2), 0, 16, canvas.height);
          for (let at = 0; at < data.length; at += 4) if (data.slice(at, at + 3).join() === rgb) return '1';
          return '0';
        })
        .join('');
    });
}
