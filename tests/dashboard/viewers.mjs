// Some people look at the wall of a running service. Prints the times of their first paints in ms as one
// line of JSON, and stays until it is told to end by the end of its standard input.
//
//   node tests/dashboard/viewers.mjs http://127.0.0.1:8080 3

import { launch, open } from './browser.mjs';

const [address, count = '3'] = process.argv.slice(2);
const browser = await launch();
try {
  const paints = [];
  for (let viewer = 0; viewer < Number(count); viewer += 1) {
    const page = await open(browser, address);
    await page.waitForSelector('.tile[data-severity]');
    const paint = await page.evaluate(
      () => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null,
    );
    paints.push(paint === null ? null : Math.round(paint));
  }
  console.log(JSON.stringify({ first_paint_ms: paints }));
  process.stdin.resume();
  await new Promise((done) => {
    process.stdin.on('end', done);
  });
} finally {
  await browser.close();
}
