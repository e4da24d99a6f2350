// A stream is added, refused while it is wrong, changed, snoozed and woken, and removed; another screen
// follows. What somebody else changed meanwhile is not overwritten.

import { equal, open, picture, until } from '../browser.mjs';

export const stand_in = { streams: 3, calm: true };

export default async function run({ browser, address, mock }) {
  const page = await open(browser, address);
  const other = await open(browser, address);
  await page.waitForSelector('.link-state[data-state="open"]');
  await page.click('button:has-text("Add stream")');
  const submit = () => page.click('dialog button[type="submit"]');
  await page.fill('dialog input[name="name"]', 'no such name!');
  await page.fill('dialog input[name="url"]', 'udp://127.0.0.1:41234');
  await page.fill('dialog textarea[name="labels"]', 'site north');
  await submit();
  await page.waitForSelector('dialog .fault:has-text("name = value")');
  await page.fill('dialog textarea[name="labels"]', 'site = north');
  await submit();
  await page.waitForSelector('dialog .fault:has-text("name")');
  await picture(page, 'refused');
  await page.fill('dialog input[name="name"]', 'added');
  await page.fill('dialog input[name="title"]', 'Added <b>here</b>');
  await submit();
  await page.waitForSelector('h1:has-text("Added <b>here</b>")');
  await other.waitForSelector('.tile .name:has-text("Added <b>here</b>")');
  await page.waitForSelector('.facts dd:has-text("added here")');

  await page.click('button:has-text("Edit")');
  await page.waitForSelector('dialog input[name="title"]');
  equal(await page.inputValue('dialog textarea[name="labels"]'), 'site = north', 'the labels as they were');
  await page.fill('dialog input[name="title"]', 'Changed');
  await submit();
  await page.waitForSelector('h1:has-text("Changed")');
  await other.waitForSelector('.tile .name:has-text("Changed")');

  // Somebody else changes it while the dialog is open.
  const path = `${address}/api/v1/streams/added`;
  const settings = async () => (await (await fetch(path)).json()).settings;
  await page.click('button:has-text("Edit")');
  await page.waitForSelector('dialog input[name="title"]');
  const { name: _, ...others } = { ...(await settings()), title: 'By another' };
  const headers = { 'content-type': 'application/json' };
  equal((await fetch(path, { method: 'PUT', headers, body: JSON.stringify(others) })).status, 200, 'the other change');
  await page.fill('dialog input[name="title"]', 'Mine');
  await submit();
  await page.waitForSelector('dialog .fault:has-text("changed or removed by somebody else meanwhile")');
  equal(await page.inputValue('dialog input[name="title"]'), 'Mine', 'what was typed');
  equal((await settings()).title, 'By another', 'what the other wrote');
  await picture(page, 'meanwhile');
  await page.click('dialog button:has-text("Cancel")');
  await page.waitForSelector('dialog', { state: 'detached' });
  await page.click('button:has-text("Edit")');
  await page.waitForSelector('dialog input[name="title"]');
  equal(await page.inputValue('dialog input[name="title"]'), 'By another', 'the change of the other');
  await page.fill('dialog input[name="title"]', 'Changed');
  await submit();
  await page.waitForSelector('h1:has-text("Changed")');

  await page.click('.row > button:has-text("Snooze")');
  await page.fill('dialog input[name="reason"]', 'encoder on its way');
  await page.fill('dialog input[name="author"]', 'Anna');
  await submit();
  await page.waitForSelector('li:has-text("everything until"):has-text("by Anna"):has-text("encoder on its way")');
  await picture(page, 'snoozed');
  if (mock) equal(mock.silences[0].matchers.stream, 'added', 'what is silenced');
  await page.click('button:has-text("End")');
  await until('the snooze to end', async () => (await page.locator('li:has-text("everything until")').count()) === 0);

  await page.click('button:has-text("Remove")');
  await submit();
  await other.waitForSelector('.tile .name:has-text("Changed")', { state: 'detached' });
  equal(page.faults.concat(other.faults).join('\n'), '', 'faults');
}
