// The clip of a real event: asked for while it is being written, shown once it is there, and played where the
// browser can; else its pictures and waveform are there.

import { open, picture, until } from '../browser.mjs';

export default async function run({ browser, address }) {
  const id = await until('the event', async () => {
    const answer = await fetch(`${address}/api/v1/events?stream=encoded&detector=black`);
    return (await answer.json()).events[0]?.id;
  }, 40_000);
  const page = await open(browser, `${address}/?view=event&id=${id}`);
  await page.waitForSelector('.evidence[data-played]', { timeout: 90_000 });
  await until('the strip', async () => (await page.locator('.film-strip img').evaluateAll((all) => all.filter((image) => image.naturalWidth > 0).length)) > 3);
  await page.waitForSelector('canvas.waveform');
  if (await page.locator('.evidence').getAttribute('data-played') === 'yes') {
    await page.locator('video').evaluate(async (film) => { film.muted = true; await film.play(); });
    await until('the clip to play', async () => page.locator('video').evaluate((film) => film.currentTime > 0.5 && film.videoWidth > 0));
  }
  console.log(`played: ${await page.locator('.evidence').getAttribute('data-played')}`);
  await picture(page, 'service-evidence');
  await page.goto(`${address}/?view=stream&name=encoded`);
  await until('the past in the plots', async () => {
    const label = await page.locator('canvas.plot').first().getAttribute('aria-label');
    return /now \d/.test(label ?? '');
  });
  await page.click('button:has-text("2 h")');
  await page.waitForTimeout(1000);
  await picture(page, 'service-history');
}
