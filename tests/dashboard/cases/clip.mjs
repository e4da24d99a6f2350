// The evidence of real events: asked for while it is being written, and shown once it is there. What came over
// RTMP is kept as MP4 and played; beside a transport stream, which no Chromium plays, there is a film that it does.

import { equal, open, picture, until } from '../browser.mjs';

export default async function run({ browser, address }) {
  const evidence = async (stream) => {
    const id = await until(
      `an event of ${stream}`,
      async () => {
        const answer = await fetch(`${address}/api/v1/events?stream=${stream}&detector=black`);
        return (await answer.json()).events[0]?.id;
      },
      60_000,
    );
    const page = await open(browser, `${address}/?view=event&id=${id}`);
    await page.waitForSelector('.evidence[data-played]', { timeout: 90_000 });
    await until(
      'the strip',
      async () =>
        (await page
          .locator('.film-strip img')
          .evaluateAll((all) => all.filter((image) => image.naturalWidth > 0).length)) > 3,
    );
    await page.waitForSelector('canvas.waveform');
    return page;
  };
  const played = await evidence('played');
  equal(await played.locator('.evidence').getAttribute('data-played'), 'yes', 'MP4 is played');
  await played.locator('video').evaluate(async (film) => {
    film.muted = true;
    await film.play();
  });
  const begin = await played.locator('video').evaluate((film) => film.currentTime);
  await until('the clip to play', async () =>
    played.locator('video').evaluate((film, from) => film.currentTime > from + 0.5 && film.videoWidth > 0, begin),
  );
  await picture(played, 'service-evidence-played');
  const shown = await evidence('shown');
  equal(await shown.locator('.evidence').getAttribute('data-played'), 'yes', 'the film of a transport stream is');
  const [kept] = await Promise.all([shown.waitForEvent('download'), shown.click('button:has-text("Keep clip.ts")')]);
  equal(kept.suggestedFilename(), 'clip.ts', 'the transport packets can be kept');
  await picture(shown, 'service-evidence-shown');

  await shown.goto(`${address}/?view=stream&name=shown`);
  await until('the past in the plots', async () =>
    /lowest \d/.test((await shown.locator('canvas.plot').first().getAttribute('aria-label')) ?? ''),
  );
  await picture(shown, 'service-history');
  equal(played.faults.concat(shown.faults).join('\n'), '', 'faults');
}
