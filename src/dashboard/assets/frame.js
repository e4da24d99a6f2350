// Work on the page, gathered: each task runs at most once per animation frame, however often it was
// asked for, and a list too long for one frame goes on in the next.

/** Longest that the tasks of one frame may take before the rest waits, in milliseconds. */
const BUDGET = 12;

const waiting = new Set();
let asked = false;

/** Runs `task` in the next animation frame. */
export function soon(task) {
  waiting.add(task);
  if (asked) return;
  asked = true;
  requestAnimationFrame(run);
}

function run() {
  asked = false;
  const begin = performance.now();
  for (const task of waiting) {
    waiting.delete(task);
    task();
    if (performance.now() - begin > BUDGET) break;
  }
  if (waiting.size > 0 && !asked) {
    asked = true;
    requestAnimationFrame(run);
  }
}

/** Waits until the page has nothing more urgent to do, two seconds at most. */
export function idle() {
  return new Promise((done) => {
    // Not every browser tells.
    if (typeof requestIdleCallback === 'function') requestIdleCallback(() => done(), { timeout: 2000 });
    else setTimeout(done, 300);
  });
}

/** Calls `task` every `period` milliseconds inside an animation frame; gives what stops it. */
export function every(period, task) {
  const timer = setInterval(() => soon(task), period);
  return () => {
    clearInterval(timer);
    waiting.delete(task);
  };
}
