// Runs one case: `node case.mjs NAME [ADDRESS]`. Without an address the case gets a stand-in of its own.

import { launch } from './browser.mjs';
import { Mock } from './mock.mjs';

const [name, given] = process.argv.slice(2);
const { default: run, stand_in: standIn = {} } = await import(`./cases/${name}.mjs`);
const mock = given ? null : new Mock(standIn);
const address = given ?? await mock.start();
const browser = await launch();
try {
  await run({ browser, address, mock });
} finally {
  await browser.close();
  mock?.stop();
}
