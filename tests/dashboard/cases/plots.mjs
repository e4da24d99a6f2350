// The plots of a stream have no hole between what the service had kept when the page was opened, which is some
// time ago, and what came since; and when it is closed the page asks no more.

import { equal, open, picture, until } from '../browser.mjs';

export const stand_in = { streams: 2, calm: true };

export default async function run({ browser, address, mock }) {
  mock.historyLate = 22;
  mock.watchedSince = Date.now() - 3600_000;
  const page = await open(browser, `${address}/?view=stream&name=ch-0001`);
  const plot = page.locator('canvas.plot').first();
  await until('the past and the present', async () => /lowest \d/.test((await plot.getAttribute('aria-label')) ?? ''));
  await until('a hole in the line', async () => (await breaks(plot)) === 1);
  await picture(page, 'plot-torn');
  await until('no hole in the line', async () => (await breaks(plot)) === 0, 45_000);
  await picture(page, 'plot-mended');
  const asked = () => mock.requests.filter((request) => request.endsWith('/history')).length;
  const before = asked();
  if (before > 4) throw new Error(`the page asked ${before} times`);
  await page.waitForTimeout(12_000);
  equal(asked(), before, 'questions when all is there');
  equal(page.faults.join('\n'), '', 'faults');
}

/** How often the line of a plot is broken off within the last fifth of its time. */
async function breaks(plot) {
  return plot.evaluate((canvas) => {
    const ink = getComputedStyle(document.documentElement).getPropertyValue('--plot-1').trim();
    const wanted = [1, 3, 5].map((at) => Number.parseInt(ink.slice(at, at + 2), 16));
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    const isLine = (x) => {
      for (let y = 0; y < canvas.height; y += 1) {
        const at = (y * canvas.width + x) * 4;
        if (wanted.every((level, part) => Math.abs(data[at + part] - level) < 60)) return true;
      }
      return false;
    };
    const line = [];
    for (let x = Math.floor(canvas.width * 0.8); x < canvas.width; x += 1) line.push(isLine(x));
    const drawn = line.slice(line.indexOf(true), line.lastIndexOf(true) + 1);
    return drawn.filter((is, index) => !is && drawn[index - 1]).length;
  });
}
