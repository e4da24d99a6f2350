// Evidence: a clip that the browser can decode is played from just before the onset; one that it cannot is
// replaced by its pictures and the waveform, and can be kept as a file.

import { equal, open, picture, until } from '../browser.mjs';

export const stand_in = { streams: 2, calm: true };

export default async function run({ browser, address, mock }) {
  const played = mock.raise('ch-0001', 'black', 'critical');
  mock.giveEvidence(played, 'mp4');
  const page = await open(browser, `${address}/?view=event&id=${played.id}`);
  await page.waitForSelector('.evidence[data-played="yes"]', { timeout: 20_000 });
  await until(
    'it to stand before the onset',
    async () => Math.abs((await page.locator('video').evaluate((film) => film.currentTime)) - 2) < 0.3,
  );
  await page.locator('video').evaluate(async (film) => {
    film.muted = true;
    await film.play();
  });
  await until('it to play', async () => (await page.locator('video').evaluate((film) => film.currentTime)) > 2.5);
  await picture(page, 'evidence-played');

  const shown = mock.raise('ch-0002', 'black', 'critical');
  await page.goto(`${address}/?view=event&id=${shown.id}`);
  await page.waitForSelector('.evidence:has-text("No evidence yet")');
  mock.giveEvidence(shown, 'mpegts');
  mock.change(shown, {});
  await page.waitForSelector('.evidence[data-played="no"]', { timeout: 20_000 });
  await page.waitForSelector('.evidence:has-text("cannot play the clip")');
  await until(
    'the strip',
    async () =>
      (await page
        .locator('.film-strip img')
        .evaluateAll((all) => all.filter((image) => image.naturalWidth > 0).length)) === 5,
  );
  await until('two waveforms', async () => (await page.locator('canvas.waveform').count()) === 2);
  equal(await page.locator('.film-strip [data-shows="onset"] b').textContent(), ' the onset', 'the onset is marked');
  equal(await page.locator('a[download="clip.ts"]').count(), 1, 'the file can be kept');
  await picture(page, 'evidence-shown');
  equal(page.faults.join('\n'), '', 'faults');
}
