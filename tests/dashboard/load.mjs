// How the wall bears many streams: first paint, and the tasks of the main thread in 30 s, while readings
// come every second, events come and go, and somebody scrolls. Prints one line of JSON. A task is told by
// the clock on the wall, as the browser's own observer does, and by the processor time it took: on a busy
// machine the first says how long others held it up.
//
//   node tests/dashboard/load.mjs [--streams 1000] [--seconds 30]

import { Mock } from './mock.mjs';
import { launch, open, picture } from './browser.mjs';

const value = (name, otherwise) => {
  const at = process.argv.indexOf(name);
  return at < 0 ? otherwise : Number(process.argv[at + 1]);
};
const streams = value('--streams', 1000);
const seconds = value('--seconds', 30);

/** Runs before the page's own scripts. */
const watch = () => {
  window.tasks = [];
  new PerformanceObserver((list) => window.tasks.push(...list.getEntries().map((entry) => ({ at: entry.startTime, lasted: entry.duration }))))
    .observe({ type: 'longtask', buffered: true });
};

/** Records the tasks of the page's main thread; gives what ends that and tells their processor times in ms. */
async function trace(page) {
  const session = await page.context().newCDPSession(page);
  const events = [];
  session.on('Tracing.dataCollected', ({ value }) => events.push(...value));
  await session.send('Tracing.start', { transferMode: 'ReportEvents', categories: 'toplevel,devtools.timeline' });
  return async () => {
    const complete = new Promise((done) => { session.once('Tracing.tracingComplete', done); });
    await session.send('Tracing.end');
    await complete;
    const own = events.find((event) => event.name === 'FunctionCall' && event.args?.data?.url?.startsWith(address));
    return events.filter((event) => event.name === 'ThreadControllerImpl::RunTask' && event.pid === own.pid && event.tid === own.tid)
      .map((event) => (event.tdur ?? 0) / 1000).sort((one, other) => other - one);
  };
}

const mock = new Mock({ streams });
const address = await mock.start();
const browser = await launch();
try {
  const page = await open(browser, 'about:blank');
  await page.addInitScript(watch);
  const tasks = await trace(page);
  await page.goto(address);
  await page.waitForSelector('.tile[data-severity]');
  const scroller = page.locator('.grid-scroll');
  const begin = Date.now();
  for (let step = 0; Date.now() - begin < seconds * 1000; step += 1) {
    await scroller.evaluate((node, down) => { node.scrollTop += down ? 700 : -700; }, step % 20 < 10);
    await page.waitForTimeout(400);
  }
  await picture(page, `wall-${streams}-streams`);
  const result = await page.evaluate(() => ({
    firstPaint: performance.getEntriesByName('first-contentful-paint')[0]?.startTime,
    tasks: window.tasks, cells: document.querySelectorAll('.grid > li').length, nodes: document.querySelectorAll('*').length,
    heap: performance.memory?.usedJSHeapSize,
  }));
  const spent = await tasks();
  const lengths = result.tasks.map((task) => Math.round(task.lasted)).sort((one, other) => other - one);
  console.log(JSON.stringify({
    streams, seconds, first_paint_ms: Math.round(result.firstPaint), tasks_over_50_ms: lengths.length, tasks_over_100_ms: lengths.filter((one) => one > 100).length,
    longest_ms: lengths[0] ?? 0, longest_at_ms: Math.round(result.tasks.find((task) => Math.round(task.lasted) === lengths[0])?.at ?? 0),
    longest_cpu_ms: Math.round(spent[0] ?? 0), cpu_percent: Math.round(spent.reduce((sum, one) => sum + one, 0) / seconds / 10), cells: result.cells, elements: result.nodes, heap_mb: Math.round(result.heap / 1e6), faults: page.faults,
  }));
} finally {
  await browser.close();
  mock.stop();
}
