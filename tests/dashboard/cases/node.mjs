// The node's figures may be there before the list of streams: the streams are shown when the list is. A
// receiver of notifications is tested from its row, by keyboard as well.

import { DESKTOP, equal, open, until } from '../browser.mjs';

export const stand_in = { streams: 6, calm: true };

export default async function run({ browser, address, mock }) {
  await streamsComeWithTheList(browser, address);
  await receiversAreTested(browser, address, mock);
}

async function streamsComeWithTheList(browser, address) {
  const context = await browser.newContext({ viewport: DESKTOP });
  const page = await context.newPage();
  let letListCome;
  const drawn = new Promise((resolve) => (letListCome = resolve));
  await page.route(/\/api\/v1\/streams\?/, async (route) => {
    await drawn;
    await route.continue();
  });
  // Later figures never come, so that they cannot bring the streams.
  let asked = 0;
  await page.route('**/api/v1/status', (route) => (asked++ === 0 ? route.continue() : undefined));
  await page.goto(`${address}/?view=node`);
  const streams = page.locator('.panel:has(h2:text-is("Streams")) .bars-table .number');
  await page.waitForSelector('.facts dd:has-text("measuring")');
  equal(await streams.count(), 0, 'streams before the list');
  letListCome();
  await until('the streams', async () => (await streams.allTextContents()).includes('6'));
}

async function receiversAreTested(browser, address, mock) {
  const page = await open(browser, `${address}/?view=node`);
  let letTestGo;
  const held = new Promise((resolve) => (letTestGo = resolve));
  await page.route('**/api/v1/receivers/desk/test', async (route) => {
    await held;
    await route.continue();
  });
  const button = (name) => page.getByRole('button', { name: `Test ${name}`, exact: true });
  const looks = () => mock.requests.filter((request) => request === 'GET /api/v1/receivers').length;
  await button('desk').press('Enter');
  await until('the button to wait', () => button('desk').isDisabled());
  // The page looks at its receivers twice meanwhile, and the button waits still.
  const before = looks();
  await until('two more looks', () => looks() >= before + 2);
  equal(await button('desk').isDisabled(), true, 'disabled while it waits');
  equal(await button('night').isDisabled(), false, 'the button of another receiver');
  letTestGo();
  await page.waitForSelector('.toast:not(.bad):has-text("desk: the test was taken")');
  await until('the button to be ready', () => button('desk').isEnabled());
  const focused = () => page.evaluate(() => document.activeElement.getAttribute('aria-label'));
  equal(await focused(), 'Test desk', 'the focus after the test');
  const after = looks();
  await until('two more looks', () => looks() >= after + 2);
  equal(await focused(), 'Test desk', 'the focus after later looks');

  await button('night').click();
  await page.waitForSelector('.toast.bad:has-text("night: the test was not taken: cannot connect to mail.example")');
  equal(mock.tries.join(), 'desk,night', 'what was tried');
  mock.tries.push(...Array(5).fill('night'));
  await button('night').click();
  await page.waitForSelector('.toast.bad:has-text("night: a receiver may be tried 6 times a minute")');
  equal(page.faults.join('\n'), '', 'faults');

  await page.goto(`${address}/?view=node&kiosk`);
  await page.waitForSelector('th:has-text("desk (webhook)")');
  equal(await page.getByRole('button', { name: /^Test / }).count(), 0, 'buttons on a screen that nobody operates');
}
