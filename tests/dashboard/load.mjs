// How the wall bears many streams: first paint, and the tasks of the main thread in 30 s, while readings
// come every second, events come and go, and somebody scrolls. Prints one line of JSON. A task is told by
// the clock on the wall, as the browser's own observer does, and by the processor time it took: on a busy
// machine the first says how long others held it up. How long a fixed piece of work takes at best says how
// fast the machine is.
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
  new PerformanceObserver((list) =>
    window.tasks.push(...list.getEntries().map((entry) => ({ at: entry.startTime, lasted: entry.duration }))),
  ).observe({ type: 'longtask', buffered: true });
};

/** Sorts so many objects again and again; gives the least time that it took, in ms. */
const reference = () => {
  const once = () => {
    const begin = performance.now();
    const rows = Array.from({ length: 20_000 }, (_, at) => ({ key: (at * 7_919) % 20_011 }));
    rows.sort((one, other) => one.key - other.key);
    return performance.now() - begin;
  };
  return Math.min(...Array.from({ length: 40 }, once));
};

/** Records the tasks of the page's main thread; gives what ends that and tells their processor times in ms. */
async function trace(page) {
  const session = await page.context().newCDPSession(page);
  const events = [];
  session.on('Tracing.dataCollected', ({ value }) => events.push(...value));
  await session.send('Tracing.start', { transferMode: 'ReportEvents', categories: 'toplevel,devtools.timeline' });
  return async () => {
    const complete = new Promise((done) => {
      session.once('Tracing.tracingComplete', done);
    });
    await session.send('Tracing.end');
    await complete;
    const own = events.find((event) => event.name === 'FunctionCall' && event.args?.data?.url?.startsWith(address));
    return events
      .filter(
        (event) => event.name === 'ThreadControllerImpl::RunTask' && event.pid === own.pid && event.tid === own.tid,
      )
      .map((event) => (event.tdur ?? 0) / 1000)
      .sort((one, other) => other - one);
  };
}

const mock = new Mock({ streams });
const address = await mock.start();
const browser = await launch();
try {
  const page = await open(browser, 'about:blank');
  const reference_ms = await page.evaluate(reference);
  await page.addInitScript(watch);
  const tasks = await trace(page);
  await page.goto(address);
  await page.waitForSelector('.tile[data-severity]');
  const scroller = page.locator('.grid-scroll');
  const begin = Date.now();
  for (let step = 0; Date.now() - begin < seconds * 1000; step += 1) {
    await scroller.evaluate(
      (node, down) => {
        node.scrollTop += down ? 700 : -700;
      },
      step % 20 < 10,
    );
    await page.waitForTimeout(400);
  }
  // Before the picture is taken and the page is counted, which nobody who looks at it has to wait for.
  const spent = await tasks();
  const noted = await page.evaluate(() => window.tasks);
  await picture(page, `wall-${streams}-streams`);
  const result = await page.evaluate(() => ({
    firstPaint: performance.getEntriesByName('first-contentful-paint')[0]?.startTime,
    cells: document.querySelectorAll('.grid > li').length,
    nodes: document.querySelectorAll('*').length,
    heap: performance.memory?.usedJSHeapSize,
  }));
  const lengths = noted.map((task) => Math.round(task.lasted)).sort((one, other) => other - one);
  console.log(
    JSON.stringify({
      streams,
      seconds,
      first_paint_ms: Math.round(result.firstPaint),
      tasks_over_50_ms: lengths.length,
      tasks_over_100_ms: lengths.filter((one) => one > 100).length,
      longest_ms: lengths[0] ?? 0,
      longest_at_ms: Math.round(noted.find((task) => Math.round(task.lasted) === lengths[0])?.at ?? 0),
      reference_ms: Math.round(reference_ms * 10) / 10,
      longest_cpu_ms: Math.round(spent[0] ?? 0),
      cpu_percent: Math.round(spent.reduce((sum, one) => sum + one, 0) / seconds / 10),
      cells: result.cells,
      elements: result.nodes,
      heap_mb: Math.round(result.heap / 1e6),
      faults: page.faults,
    }),
  );
} finally {
  await browser.close();
  mock.stop();
}
